//! Diffie-Hellman on the NIST curves (RFC 5903). A public value is both coordinates (section 7), without the mark that
//! SEC 1 puts before them.

use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use super::DhError;

/// The mark of a point written with both coordinates (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;
/// Octets of the longest point with its mark: two coordinates of P-521.
const LONGEST_POINT: usize = 1 + 2 * 66;

/// A private value, and the public one as it goes over the wire. `top` masks the first octet, for a curve whose order
/// does not fill it: without, nearly all candidates would be too large.
pub(super) fn generate<C>(top: u8, entropy: &mut Entropy) -> (SecretKey<C>, Box<[u8]>)
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    let mut candidate = Zeroizing::new(FieldBytes::<C>::default());
    let private = loop {
        entropy.fill(&mut candidate);
        if let Some(first) = candidate.first_mut() {
            *first &= top;
        }
        // Zero and what exceeds the order are drawn again, so that every value is equally likely.
        if let Ok(private) = SecretKey::<C>::from_bytes(&candidate) {
            break private;
        }
    };
    let public = public_value(&private);
    (private, public)
}

/// Both coordinates.
fn public_value<C>(private: &SecretKey<C>) -> Box<[u8]>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    let point = private.public_key().as_affine().to_sec1_point(false);
    point.as_bytes().iter().skip(1).copied().collect()
}

/// The x coordinate that both have in common (section 9).
pub(super) fn shared_secret<C>(private: &SecretKey<C>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, DhError>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    if peer.len() != 2 * FieldBytes::<C>::default().len() {
        return Err(DhError::Length(peer.len()));
    }
    let mut point = [0; LONGEST_POINT];
    let point = point.get_mut(..=peer.len()).ok_or(DhError::Length(peer.len()))?;
    if let Some((mark, coordinates)) = point.split_first_mut() {
        *mark = UNCOMPRESSED;
        coordinates.copy_from_slice(peer);
    }
    // Refuses a point beside the curve; the curves have no small subgroups, and infinity cannot be written this way.
    let peer = PublicKey::<C>::from_sec1_bytes(point).map_err(|_| DhError::PublicValue)?;
    let secret = private.diffie_hellman(&peer);
    Ok(Zeroizing::new(secret.raw_secret_bytes().to_vec()))
}

#[cfg(test)]
mod tests;
