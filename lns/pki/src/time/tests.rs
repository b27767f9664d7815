use super::*;

fn utc(text: &str) -> Result<u64, Malformed> {
    read(Element { tag: UTC_TIME, value: text.as_bytes(), whole: &[] })
}

fn generalized(text: &str) -> Result<u64, Malformed> {
    read(Element { tag: GENERALIZED_TIME, value: text.as_bytes(), whole: &[] })
}

#[test]
fn both_forms_name_the_same_second() {
    assert_eq!(utc("270115080000Z"), Ok(1_800_000_000));
    assert_eq!(generalized("20270115080000Z"), Ok(1_800_000_000));
    assert_eq!(utc("700101000000Z"), Ok(0));
    assert_eq!(utc("491231235959Z"), Ok(2_524_607_999));
    assert_eq!(utc("500101000000Z"), Ok(0), "1950 lies before the count begins");
    assert_eq!(generalized("20000229120000Z"), Ok(951_825_600));
    assert_eq!(generalized("99991231235959Z"), Ok(253_402_300_799));
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "2701150800Z",
        "270115080000",
        "270115080000+0100",
        "271315080000Z",
        "270100080000Z",
        "2701150800x0Z",
        "",
    ] {
        assert_eq!(utc(text), Err(Malformed), "{text}");
    }
    assert_eq!(generalized("20270115080000.5Z"), Err(Malformed));
    assert_eq!(generalized("2"), Err(Malformed));
}

#[test]
fn a_moment_is_shown_in_utc() {
    assert_eq!(Moment(1_800_000_000).to_string(), "2027-01-15 08:00:00 UTC");
    assert_eq!(Moment(951_825_600).to_string(), "2000-02-29 12:00:00 UTC");
    assert_eq!(Moment(951_782_399).to_string(), "2000-02-28 23:59:59 UTC");
    assert_eq!(Moment(253_402_300_799).to_string(), "9999-12-31 23:59:59 UTC");
    assert_eq!(Moment(0).to_string(), "1970-01-01 00:00:00 UTC");
}
