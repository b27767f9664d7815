use super::*;
use AuthMethod::{Chap, EapProxy, MsChapV1, MsChapV2, Pap, SdiPasscode};
use ServerType::{Kerberos, Ldap, Local, Nt, Radius, Sdi, TacacsPlus};

/// Written out in full a second time on purpose: 7 rows, 6 columns, 42 cells.
#[test]
fn every_cell_of_the_matrix() {
    let columns = [Pap, Chap, MsChapV1, MsChapV2, EapProxy, SdiPasscode];
    let expected = [
        (Local, [true, false, true, true, false, false]),
        (Radius, [true, true, true, true, true, false]),
        (TacacsPlus, [true, true, true, false, false, false]),
        (Ldap, [true, false, false, false, false, false]),
        (Nt, [true, false, false, false, false, false]),
        (Kerberos, [true, false, false, false, false, false]),
        (Sdi, [false, false, false, false, false, true]),
    ];
    for (server_type, row) in expected {
        for (method, cell) in columns.into_iter().zip(row) {
            assert_eq!(allows(server_type, method), cell, "{server_type} x {method}");
            assert_eq!(methods_of(server_type).contains(&method), cell, "{server_type} x {method}");
        }
    }
    assert_eq!(MATRIX.map(|(row, _)| row), ServerType::ALL);
}

#[test]
fn radius_alone_changes_passwords() {
    let changing: Vec<_> = ServerType::ALL.into_iter().filter(|kind| changes_passwords(*kind)).collect();
    assert_eq!(changing, [Radius]);
    assert!(changing.iter().all(|kind| allows(*kind, MsChapV2)), "no other method carries a new password");
}

#[test]
fn a_refusal_names_the_cell() {
    let cell = |server_type, method| MatrixCell { server_type, method }.to_string();
    assert_eq!(cell(Local, Chap), "CHAP is not served by LOCAL (type matrix)");
    assert_eq!(cell(TacacsPlus, MsChapV2), "MS-CHAPv2 is not served by TACACS+ (type matrix)");
}

#[test]
fn words_of_the_configuration_round_trip() {
    for method in AuthMethod::ALL {
        assert_eq!(method.to_string().parse(), Ok(method));
    }
    for server_type in ServerType::ALL {
        assert_eq!(server_type.to_string().parse(), Ok(server_type));
    }
    let error = "mschap".parse::<AuthMethod>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown authentication method `mschap`: use one of pap, chap, ms-chap-v1, ms-chap-v2, eap-proxy, sdi"
    );
}
