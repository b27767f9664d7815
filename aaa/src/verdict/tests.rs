use super::*;
use crate::matrix::ServerType;

#[test]
fn the_magic_addresses_are_told_apart() {
    assert_eq!(FramedAddress::from(Ipv4Addr::new(255, 255, 255, 255)), FramedAddress::PeerChooses);
    assert_eq!(FramedAddress::from(Ipv4Addr::new(255, 255, 255, 254)), FramedAddress::Pool);
    let plain = Ipv4Addr::new(10, 4, 5, 6);
    assert_eq!(FramedAddress::from(plain), FramedAddress::Address(plain));
}

#[test]
fn what_the_user_sees_does_not_tell_whether_the_account_exists() {
    let unknown = Reject::new(RejectReason::UnknownUser);
    let wrong = Reject::new(RejectReason::WrongPassword);
    assert_eq!(unknown.message, wrong.message);
    assert_eq!(unknown.ms_chap_error, wrong.ms_chap_error);
    let stored = RejectReason::PasswordStorage { method: AuthMethod::MsChapV2, stored: "", fix: "" };
    for reason in [RejectReason::LockedOut, stored] {
        let other = Reject::new(reason);
        assert_eq!(
            (other.message, other.ms_chap_error),
            (wrong.message.clone(), wrong.ms_chap_error.clone())
        );
    }
}

#[test]
fn ms_chap_codes_round_trip_where_they_have_a_name() {
    for code in [646, 647, 648, 649, 691, 709, 12345] {
        assert_eq!(RejectReason::from_ms_chap_code(code).ms_chap_code(), code);
    }
}

#[test]
fn log_words_name_cause_and_fix() {
    let cell = MatrixCell { server_type: ServerType::Local, method: AuthMethod::Chap };
    assert_eq!(RejectReason::NotAllowed(cell).to_string(), "CHAP is not served by LOCAL (type matrix)");
    let stored = RejectReason::PasswordStorage {
        method: AuthMethod::MsChapV2,
        stored: "an Argon2id password",
        fix: "set it again with `tollgate user passwd --mschap`",
    };
    assert_eq!(
        stored.to_string(),
        "an Argon2id password cannot check MS-CHAPv2: set it again with `tollgate user passwd --mschap`"
    );
}
