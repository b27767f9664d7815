//! Is the proof right? The same work is done whether the account exists or not.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tollgate_aaa::{
    AuthMethod, AuthRequest, Credentials, MatrixCell, MppeKeys, RejectReason, Secret, ServerType,
};
use tollgate_mschap::{
    Direction, KeyStrength, NtHash, generate_authenticator_response, master_key, nt_password_hash,
    strip_domain, verify_nt_response_v1, verify_nt_response_v2,
};

use super::Users;
use super::user::{StoredPassword, User, verify};

pub(super) enum Proof {
    Right {
        /// MS-CHAPv2: our own proof to the peer.
        success: Option<String>,
        /// MS-CHAP: what MPPE's keys are made from.
        keys: Option<MppeKeys>,
    },
    Wrong,
    /// The stored form of the password cannot tell.
    NotStored(RejectReason),
}

/// Checks proofs; at most one Argon2 computation per core at a time, off the async threads.
pub(super) struct Checker {
    argon2: Arc<Semaphore>,
}

impl Checker {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { argon2: Arc::new(Semaphore::new(cores)) }
    }

    pub(super) async fn check(&self, users: &Users, user: Option<&User>, request: &AuthRequest<'_>) -> Proof {
        match request.credentials {
            Credentials::Pap { password } => {
                if self.password_is_right(users, user, password).await {
                    Proof::Right { success: None, keys: None }
                } else {
                    Proof::Wrong
                }
            }
            Credentials::MsChapV1 { challenge, nt_response, .. } => {
                let (hash, obstacle) = nt_hash(user, AuthMethod::MsChapV1);
                let right = verify_nt_response_v1(challenge, &hash, nt_response);
                judged(right, obstacle, || (None, keys_v1(&hash)))
            }
            Credentials::MsChapV2 { authenticator_challenge, peer_challenge, nt_response, .. } => {
                // The peer hashed what was typed, whatever was stripped since.
                let name = strip_domain(request.typed_name);
                let (hash, obstacle) = nt_hash(user, AuthMethod::MsChapV2);
                let right =
                    verify_nt_response_v2(authenticator_challenge, peer_challenge, name, &hash, nt_response);
                let success = || {
                    generate_authenticator_response(
                        &hash,
                        nt_response,
                        peer_challenge,
                        authenticator_challenge,
                        name,
                    )
                };
                judged(right, obstacle, || (Some(success()), keys_v2(&hash, nt_response)))
            }
            Credentials::Chap { .. } | Credentials::Eap { .. } => {
                // The router does not let it come this far.
                let method = request.credentials.method();
                let cell = MatrixCell { server_type: ServerType::Local, method };
                Proof::NotStored(RejectReason::NotAllowed(cell))
            }
            Credentials::PasswordChange { .. } => {
                // Nor this.
                let why = "LOCAL takes no new password from a client".to_owned();
                Proof::NotStored(RejectReason::CannotBeSent(why))
            }
        }
    }

    async fn password_is_right(&self, users: &Users, user: Option<&User>, password: &Secret) -> bool {
        let (hash, phc) = match user.map(|user| &user.password) {
            Some(StoredPassword::Argon2id(phc)) => return self.argon2(Arc::clone(phc), password).await,
            Some(StoredPassword::NtHash(hash)) => (hash.clone(), &users.decoy),
            None => (nobodys_hash(), &users.decoy),
        };
        let right: bool = nt_password_hash(password).ct_eq(&hash).into();
        if right && user.is_some() {
            return true;
        }
        // Where some accounts cost an Argon2 computation, every refusal does: the time tells nobody which exist.
        if let Some(phc) = phc {
            self.argon2(Arc::clone(phc), password).await;
        }
        false
    }

    async fn argon2(&self, phc: Arc<str>, password: &Secret) -> bool {
        let Ok(permit) = Arc::clone(&self.argon2).acquire_owned().await else { return false };
        let password = password.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let right = verify(&phc, &password);
            drop(permit);
            right
        });
        verified.await.unwrap_or(false)
    }
}

fn judged(
    right: bool,
    obstacle: Option<RejectReason>,
    prove: impl FnOnce() -> (Option<String>, MppeKeys),
) -> Proof {
    match obstacle {
        Some(reason) => Proof::NotStored(reason),
        None if right => {
            let (success, keys) = prove();
            Proof::Right { success, keys: Some(keys) }
        }
        None => Proof::Wrong,
    }
}

/// RFC 3079 section 2: the hash of the NT hash. The LAN Manager hash, from which shorter keys come, is not kept.
fn keys_v1(hash: &NtHash) -> MppeKeys {
    MppeKeys { nt_key: Some(Secret::from(hash.hash_again().as_bytes().as_slice())), ..MppeKeys::default() }
}

/// RFC 3079 section 3.
fn keys_v2(hash: &NtHash, nt_response: &[u8; 24]) -> MppeKeys {
    let master = master_key(hash, nt_response);
    let key = |direction| Some(Secret::from(master.start_key(direction, KeyStrength::Bits128).as_bytes()));
    MppeKeys {
        send: key(Direction::ServerToClient),
        receive: key(Direction::ClientToServer),
        ..MppeKeys::default()
    }
}

/// The hash to check against; where there is none, a stand-in and the reason.
fn nt_hash(user: Option<&User>, method: AuthMethod) -> (NtHash, Option<RejectReason>) {
    match user.map(|user| &user.password) {
        Some(StoredPassword::NtHash(hash)) => (hash.clone(), None),
        Some(StoredPassword::Argon2id(_)) => {
            let reason = RejectReason::PasswordStorage {
                method,
                stored: "the account's Argon2id hash",
                fix: "give it a password with `tollgate user passwd --mschap`, or let it use PAP",
            };
            (nobodys_hash(), Some(reason))
        }
        None => (nobodys_hash(), None),
    }
}

/// Stands in for the hash of an account that does not exist. Its owner is never let in, whatever matches it.
fn nobodys_hash() -> NtHash {
    NtHash::from_bytes([0x5a; 16])
}
