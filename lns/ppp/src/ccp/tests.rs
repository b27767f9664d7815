use tollgate_sansio::Entropy;

use super::*;
use crate::ServerConfig;
use crate::config::Timers;

fn shared() -> Shared {
    Shared::new(Entropy::from_seed([1; 32]), Timers::of_server(&ServerConfig::default()))
}

fn ccp(strengths: MppeStrengths, stateful_allowed: bool) -> (Ccp, Shared) {
    let mut shared = shared();
    let mut ccp = Ccp::new(strengths, stateful_allowed);
    ccp.begin(&mut shared);
    (ccp, shared)
}

fn judge(strengths: MppeStrengths, stateful_allowed: bool, asked: &[u8]) -> Result<Answer, DownReason> {
    let (mut ccp, mut shared) = ccp(strengths, stateful_allowed);
    ccp.judge(&options::parse(asked).unwrap(), true, &mut shared)
}

fn mppe(bits: u32) -> Vec<u8> {
    [&[18, 6][..], &bits.to_be_bytes()].concat()
}

#[test]
fn we_ask_for_the_longest_key_and_for_stateless() {
    assert_eq!(ccp(MppeStrengths::ALL, true).0.request(), mppe(0x0100_0040));
    let short = MppeStrengths { bits40: true, bits56: true, bits128: false };
    assert_eq!(ccp(short, false).0.request(), mppe(0x0100_0080));
}

#[test]
fn of_several_the_longest_is_named() {
    let all = MppeStrengths::ALL;
    for (asked, answer) in [
        (0x0100_0040, Answer::Ack),
        (0x0100_0080, Answer::Ack),
        (0x0100_0020, Answer::Ack),
        (0x0000_0040, Answer::Ack),
        (0x0100_00E0, Answer::Nak(mppe(0x0100_0040))),
        (0x0000_00E0, Answer::Nak(mppe(0x0000_0040))),
        (0x0100_00A1, Answer::Nak(mppe(0x0100_0080))),
        (0x0100_0041, Answer::Nak(mppe(0x0100_0040))),
        (0x0000_0001, Answer::Nak(mppe(0x0100_0040))),
        // What Windows asks for when IPsec encrypts already.
        (0x0100_0000, Answer::Nak(mppe(0x0100_0040))),
        (0x0000_0000, Answer::Nak(mppe(0x0100_0040))),
    ] {
        assert_eq!(judge(all, true, &mppe(asked)), Ok(answer), "{asked:#010x}");
    }
}

#[test]
fn a_short_key_and_stateful_only_where_they_are_allowed() {
    let strong = MppeStrengths::STRONG;
    assert_eq!(judge(strong, false, &mppe(0x40)), Ok(Answer::Nak(mppe(0x0100_0040))));
    assert_eq!(judge(strong, true, &mppe(0x0100_0020)), Ok(Answer::Nak(mppe(0x0100_0040))));
    let (mut ccp, mut shared) = ccp(strong, false);
    let hint = mppe(0x0000_0020);
    assert!(ccp.naked(&options::parse(&hint).unwrap(), &mut shared).is_err(), "no way to 40 bits");
    let hint = mppe(0x0000_0040);
    assert_eq!(ccp.naked(&options::parse(&hint).unwrap(), &mut shared), Ok(()));
    assert_eq!(ccp.request(), mppe(0x0100_0040), "nor to stateful");
}

#[test]
fn compression_is_rejected_and_mppe_asked_for_in_its_place() {
    let deflate = [26, 4, 0x78, 0x00, 24, 4, 0x78, 0x00];
    assert_eq!(judge(MppeStrengths::ALL, true, &deflate), Ok(Answer::Reject(deflate.to_vec())));
    let both = [&mppe(0x0100_0040)[..], &deflate].concat();
    assert_eq!(judge(MppeStrengths::ALL, true, &both), Ok(Answer::Reject(deflate.to_vec())));
    assert_eq!(judge(MppeStrengths::ALL, true, &[]), Ok(Answer::Nak(mppe(0x0100_0040))));
    let stump = [18, 4, 0, 0];
    assert_eq!(judge(MppeStrengths::ALL, true, &stump), Ok(Answer::Nak(mppe(0x0100_0040))));
}

#[test]
fn a_peer_that_does_not_give_way_is_given_up() {
    let (mut ccp, mut shared) = ccp(MppeStrengths::STRONG, false);
    let asked = mppe(0x20);
    let asked = options::parse(&asked).unwrap();
    assert!(matches!(ccp.judge(&asked, false, &mut shared), Err(DownReason::NotEncrypted(_))));
    assert!(matches!(ccp.rejected(&asked, &mut shared), Err(DownReason::NotEncrypted(_))));
    assert_eq!(ccp.agreed(), None);
}
