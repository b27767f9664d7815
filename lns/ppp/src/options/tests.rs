use super::*;

#[test]
fn a_list_is_read_option_by_option() {
    let options = parse(&[1, 4, 5, 0x78, 7, 2, 8, 2]).unwrap();
    assert_eq!(
        options,
        [
            ConfigOption { kind: 1, value: &[5, 0x78] },
            ConfigOption { kind: 7, value: &[] },
            ConfigOption { kind: 8, value: &[] },
        ]
    );
    assert_eq!(parse(&[]), Some(vec![]));
}

#[test]
fn a_length_that_lies_spoils_the_list() {
    assert_eq!(parse(&[1, 1]), None);
    assert_eq!(parse(&[1, 0, 5]), None);
    assert_eq!(parse(&[1, 5, 5, 0x78]), None);
    assert_eq!(parse(&[1]), None);
}

#[test]
fn rejections_come_before_naks() {
    let mut objections = Objections::default();
    assert!(objections.is_empty());
    objections.nak(3, &[1, 2]);
    objections.reject(&ConfigOption { kind: 0x0D, value: &[6] });
    assert_eq!(objections.into_answer(), Answer::Reject(vec![0x0D, 3, 6]));
}

#[test]
fn each_type_is_naked_once() {
    let mut objections = Objections::default();
    for kind in [3, 129, 3, 129, 255] {
        objections.nak(kind, &[kind]);
    }
    assert_eq!(objections.into_answer(), Answer::Nak(vec![3, 3, 3, 129, 3, 129, 255, 3, 255]));
}
