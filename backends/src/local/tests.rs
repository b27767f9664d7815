use std::fs;
use std::time::Instant;

use tollgate_aaa::{Secret, SessionContext};
use tollgate_mschap::{NtHash, challenge_response, generate_nt_response, verify_authenticator_response};

use super::*;

const PASSWORD: &[u8] = b"clientPass";
const AUTHENTICATOR_CHALLENGE: [u8; 16] = [0x5b; 16];
const PEER_CHALLENGE: [u8; 16] = [0x21; 16];

fn pap(password: &[u8]) -> Credentials {
    Credentials::Pap { password: Secret::from(password) }
}

fn ms_chap_v1(password: &str) -> Credentials {
    let challenge = [0x10; 8];
    let nt_response = challenge_response(&challenge, &NtHash::from_password(password));
    Credentials::MsChapV1 { identifier: 1, challenge, lm_response: [0; 24], nt_response, use_nt: true }
}

/// What a peer sends that typed `name`; it leaves the domain out of the hash.
fn ms_chap_v2(name: &str, password: &str) -> Credentials {
    let name = name.rsplit('\\').next().unwrap();
    let hash = NtHash::from_password(password);
    let nt_response = generate_nt_response(&AUTHENTICATOR_CHALLENGE, &PEER_CHALLENGE, name.as_bytes(), &hash);
    Credentials::MsChapV2 {
        identifier: 1,
        authenticator_challenge: AUTHENTICATOR_CHALLENGE,
        peer_challenge: PEER_CHALLENGE,
        nt_response,
        flags: 0,
    }
}

async fn ask(backend: &LocalBackend, typed: &str, name: &str, credentials: &Credentials) -> Verdict {
    let context = SessionContext::default();
    let request = AuthRequest {
        name: name.as_bytes(),
        typed_name: typed.as_bytes(),
        credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    backend.authenticate(&request).await
}

/// `accept`, or the reason of the refusal.
async fn words(backend: &LocalBackend, name: &str, credentials: &Credentials) -> String {
    match ask(backend, name, name, credentials).await {
        Verdict::Accept(_) => "accept".to_owned(),
        Verdict::Reject(reject) => reject.reason.to_string(),
        Verdict::Challenge(_) | Verdict::Unavailable(_) => panic!("LOCAL decides at once"),
    }
}

fn people() -> Vec<User> {
    let nt = StoredPassword::nt(PASSWORD);
    vec![
        User::new("joe", nt.clone()),
        User::new("ann", StoredPassword::argon2id(PASSWORD).unwrap()),
        User { enabled: false, ..User::new("off", nt.clone()) },
        User { expires: "2001-01-01".parse().ok(), ..User::new("old", nt.clone()) },
        User {
            expires: "2999-01-01".parse().ok(),
            group_policy: Some("sales".to_owned()),
            address: Some([10, 4, 5, 7].into()),
            ..User::new("kim", nt)
        },
    ]
}

#[tokio::test]
async fn pap_is_checked_against_either_stored_form() {
    let backend = LocalBackend::in_memory(people());
    for name in ["joe", "ann"] {
        assert_eq!(words(&backend, name, &pap(PASSWORD)).await, "accept", "{name}");
        assert_eq!(words(&backend, name, &pap(b"clientpass")).await, "wrong password", "{name}");
        assert_eq!(words(&backend, name, &pap(b"")).await, "wrong password", "{name}");
    }
    assert_eq!(words(&backend, "nobody", &pap(PASSWORD)).await, "unknown user");
    assert_eq!(words(&backend, "JOE", &pap(PASSWORD)).await, "unknown user");
}

#[tokio::test]
async fn ms_chap_version_1_is_checked_against_the_nt_hash() {
    let backend = LocalBackend::in_memory(people());
    assert_eq!(words(&backend, "joe", &ms_chap_v1("clientPass")).await, "accept");
    assert_eq!(words(&backend, "joe", &ms_chap_v1("wrong")).await, "wrong password");
    assert_eq!(words(&backend, "nobody", &ms_chap_v1("clientPass")).await, "unknown user");
}

#[tokio::test]
async fn ms_chap_version_2_proves_itself_to_the_peer() {
    let backend = LocalBackend::in_memory(people());
    let credentials = ms_chap_v2("joe", "clientPass");
    let Verdict::Accept(attributes) = ask(&backend, "joe", "joe", &credentials).await else {
        panic!("accept")
    };
    let Credentials::MsChapV2 { nt_response, .. } = &credentials else { panic!("version 2") };
    assert!(verify_authenticator_response(
        &NtHash::from_password("clientPass"),
        nt_response,
        &PEER_CHALLENGE,
        &AUTHENTICATOR_CHALLENGE,
        b"joe",
        &attributes.ms_chap2_success.unwrap(),
    ));
    assert_eq!(words(&backend, "joe", &ms_chap_v2("joe", "wrong")).await, "wrong password");
    assert_eq!(words(&backend, "nobody", &ms_chap_v2("nobody", "clientPass")).await, "unknown user");
}

/// RFC 2759 section 9.2, end to end.
#[tokio::test]
async fn the_vectors_of_the_rfc_log_in() {
    let user = StoredPassword::from_nt_hex("44EBBA8D5312B8D611474411F56989AE").unwrap();
    let backend = LocalBackend::in_memory(vec![User::new("User", user)]);
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let credentials = Credentials::MsChapV2 {
        identifier: 1,
        authenticator_challenge: octets("5B5D7C7D7B3F2F3E3C2C602132262628").try_into().unwrap(),
        peer_challenge: octets("21402324255E262A28295F2B3A337C7E").try_into().unwrap(),
        nt_response: octets("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF").try_into().unwrap(),
        flags: 0,
    };
    let Verdict::Accept(attributes) = ask(&backend, r"DOMAIN\User", "User", &credentials).await else {
        panic!("accept")
    };
    assert_eq!(attributes.ms_chap2_success.unwrap(), b"S=407A5589115FD0D6209F510FE9C04566932CDA56");
}

#[tokio::test]
async fn version_2_hashes_the_typed_name_and_looks_up_the_stripped_one() {
    let backend = LocalBackend::in_memory(people());
    for typed in ["joe@acme#sales", r"ACME\joe", r"ACME\joe@acme"] {
        let verdict = ask(&backend, typed, "joe", &ms_chap_v2(typed, "clientPass")).await;
        assert!(matches!(verdict, Verdict::Accept(_)), "{typed}");
    }
    // A peer that hashed another name than it sent is refused.
    let verdict = ask(&backend, "joe@acme", "joe", &ms_chap_v2("joe", "clientPass")).await;
    assert!(matches!(verdict, Verdict::Reject(_)));
}

#[tokio::test]
async fn an_argon2id_account_refuses_ms_chap_and_says_why() {
    let backend = LocalBackend::in_memory(people());
    let expected = "the account's Argon2id hash cannot check MS-CHAPv2: \
                    give it a password with `tollgate user passwd --mschap`, or let it use PAP";
    assert_eq!(words(&backend, "ann", &ms_chap_v2("ann", "clientPass")).await, expected);
    assert!(words(&backend, "ann", &ms_chap_v1("clientPass")).await.contains("cannot check MS-CHAPv1"));
}

#[tokio::test]
async fn lan_manager_responses_are_refused() {
    let backend = LocalBackend::in_memory(people());
    let Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, .. } =
        ms_chap_v1("clientPass").clone()
    else {
        panic!("version 1")
    };
    let credentials =
        Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt: false };
    assert!(words(&backend, "joe", &credentials).await.starts_with("LAN Manager responses are not served"));
}

#[tokio::test]
async fn a_closed_account_is_told_only_to_who_knows_the_password() {
    let backend = LocalBackend::in_memory(people());
    assert_eq!(words(&backend, "off", &pap(PASSWORD)).await, "account disabled");
    assert_eq!(words(&backend, "off", &pap(b"x")).await, "wrong password");
    assert_eq!(words(&backend, "old", &pap(PASSWORD)).await, "account expired");
    assert_eq!(words(&backend, "old", &pap(b"x")).await, "wrong password");
}

#[tokio::test]
async fn an_accept_carries_policy_and_address() {
    let backend = LocalBackend::in_memory(people());
    let Verdict::Accept(attributes) = ask(&backend, "kim", "kim", &pap(PASSWORD)).await else {
        panic!("accept")
    };
    assert_eq!(attributes.group_policy.as_deref(), Some("sales"));
    assert_eq!(attributes.framed_address, Some(FramedAddress::Address([10, 4, 5, 7].into())));
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    let backend = LocalBackend::in_memory(people());
    // The shortest of many, taken in turn: a busy machine makes some longer but none shorter.
    let mut times = [Duration::MAX; 3];
    for _ in 0..15 {
        for (name, time) in ["ann", "joe", "nobody"].into_iter().zip(&mut times) {
            let begun = Instant::now();
            words(&backend, name, &pap(b"x")).await;
            *time = begun.elapsed().min(*time);
        }
    }
    let [argon2_user, nt_user, nobody] = times.map(|time| time.as_secs_f64());
    for time in [nt_user, nobody] {
        assert!((0.5..2.0).contains(&(time / argon2_user)), "{times:?}");
    }
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(text: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(text);
        files
    }

    fn users(&self) -> PathBuf {
        self.folder.path().join("users.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.users(), text).unwrap();
    }

    fn open(&self, attempts: u32, time: u64) -> LocalBackend {
        LocalBackend::new(LocalSettings {
            users: self.users(),
            lockout_attempts: attempts,
            lockout_time: Duration::from_secs(time),
            state_file: None,
        })
        .unwrap()
    }
}

const JOE: &str = "[user.joe]\nnt-hash = \"44EBBA8D5312B8D611474411F56989AE\"\n";
const ANN: &str = "[user.ann]\nnt-hash = \"44EBBA8D5312B8D611474411F56989AE\"\n";

#[tokio::test]
async fn a_file_changed_underneath_is_picked_up_within_a_second() {
    let files = Files::new(JOE);
    let backend = files.open(0, 0);
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "unknown user");
    files.write(&format!("{JOE}{ANN}"));
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "accept");

    // A broken file, or none, keeps the users that were.
    files.write("[user.joe");
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "accept");
    fs::remove_file(files.users()).unwrap();
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "accept");

    // As the commands write it: another inode, the same length.
    files.write(JOE);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "unknown user");
}

#[tokio::test]
async fn a_users_file_that_is_not_there_is_an_error_at_the_start() {
    let files = Files::new(JOE);
    fs::remove_file(files.users()).unwrap();
    let settings = LocalSettings {
        users: files.users(),
        lockout_attempts: 0,
        lockout_time: Duration::ZERO,
        state_file: None,
    };
    let error = LocalBackend::new(settings).err().unwrap().to_string();
    assert!(error.contains("does not exist; make it with `tollgate user add`"), "{error}");
}

#[tokio::test]
async fn too_many_failures_lock_the_account_even_over_a_restart() {
    let files = Files::new(&format!("{JOE}{ANN}"));
    let backend = files.open(3, 3600);
    for _ in 0..3 {
        assert_eq!(words(&backend, "joe", &pap(b"x")).await, "wrong password");
    }
    assert_eq!(words(&backend, "joe", &pap(PASSWORD)).await, "locked out after too many failures");
    assert_eq!(words(&backend, "ann", &pap(PASSWORD)).await, "accept");
    // Only the first failure is written at once, the rest within a second.
    tokio::time::sleep(Duration::from_millis(1300)).await;
    drop(backend);

    let backend = files.open(3, 3600);
    assert_eq!(words(&backend, "joe", &pap(PASSWORD)).await, "locked out after too many failures");

    // A new password unlocks.
    let mut file = UserFile::load(files.users()).unwrap();
    file.set_password("joe", &StoredPassword::nt(b"new")).unwrap();
    file.save().unwrap();
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(words(&backend, "joe", &pap(b"new")).await, "accept");
}

#[tokio::test]
async fn a_lock_opens_by_itself_and_unknown_names_are_not_kept() {
    let files = Files::new(JOE);
    let backend = files.open(2, 1);
    for _ in 0..2 {
        words(&backend, "joe", &pap(b"x")).await;
        words(&backend, "nobody", &pap(b"x")).await;
    }
    assert_eq!(words(&backend, "joe", &pap(PASSWORD)).await, "locked out after too many failures");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(words(&backend, "joe", &pap(PASSWORD)).await, "accept");
    let state = fs::read_to_string(files.folder.path().join("users.toml.failures")).unwrap();
    assert!(!state.contains("nobody"), "{state}");
}

#[tokio::test]
async fn failed_challenge_responses_count_as_failures() {
    let files = Files::new(JOE);
    let backend = files.open(2, 3600);
    for _ in 0..2 {
        assert_eq!(words(&backend, "joe", &ms_chap_v2("joe", "x")).await, "wrong password");
    }
    assert_eq!(
        words(&backend, "joe", &ms_chap_v2("joe", "clientPass")).await,
        "locked out after too many failures"
    );
}

#[tokio::test]
async fn a_storm_of_argon2_logins_leaves_the_others_alone() {
    let backend = Arc::new(LocalBackend::in_memory(people()));
    let storm: Vec<_> = (0..40)
        .map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move { words(&backend, "ann", &pap(PASSWORD)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let begun = Instant::now();
    assert_eq!(words(&backend, "joe", &pap(PASSWORD)).await, "accept");
    assert!(begun.elapsed() < Duration::from_millis(200), "took {:?}", begun.elapsed());
    for login in storm {
        assert_eq!(login.await.unwrap(), "accept");
    }
}
