use super::*;

fn read(text: &str) -> Result<Vec<(String, Vec<u8>)>, PemError> {
    Ok(sections(text.as_bytes())?.into_iter().map(|section| (section.label, section.der.to_vec())).collect())
}

#[test]
fn sections_are_found_among_other_text() {
    let text = "subject=CN\n-----BEGIN A B-----\r\nAQID\r\nBA==\r\n-----END A B-----\r\n\nmore\n -----BEGIN C-----\n\
                AQ==\n-----END C-----";
    assert_eq!(read(text), Ok(vec![("A B".into(), vec![1, 2, 3, 4]), ("C".into(), vec![1])]));
    assert_eq!(read("nothing"), Ok(Vec::new()));
    assert!(is_pem(text.as_bytes()));
    assert!(!is_pem(&[0x30, 0x82, 1, 0]));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let no_end = "x\n-----BEGIN A-----\nAQID\n-----END B-----\n";
    assert_eq!(read(no_end), Err(PemError::NoEnd { line: 2, label: "A".into() }));
    let not_base64 = "-----BEGIN A-----\nAQ=D\n-----END A-----\n";
    assert_eq!(read(not_base64), Err(PemError::NotBase64 { line: 1, label: "A".into() }));
    let old =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(read(old), Err(PemError::OldEncryption { line: 1 }));
    let many = "-----BEGIN A-----\n-----END A-----\n".repeat(4097);
    assert_eq!(read(&many), Err(PemError::TooMany));
}
