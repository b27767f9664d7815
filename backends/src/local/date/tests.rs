use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn days_are_counted_like_the_calendar_does() {
    for (text, days) in
        [("1970-01-01", 0), ("1970-03-01", 59), ("2000-02-29", 11_016), ("2024-12-31", 20_088)]
    {
        assert_eq!(text.parse::<Date>().unwrap().days_since_1970(), days, "{text}");
    }
}

#[test]
fn the_last_second_of_the_day_still_counts() {
    let date: Date = "2000-02-29".parse().unwrap();
    assert!(!date.has_passed(at(11_017 * 86_400 - 1)));
    assert!(date.has_passed(at(11_017 * 86_400)));
}

#[test]
fn only_days_that_exist_in_the_one_form() {
    for text in [
        "2023-02-29",
        "1900-01-01",
        "2100-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-04-31",
        "2024-1-01",
        "24-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01-",
        "+024-01-01",
        "",
        "tomorrow",
    ] {
        assert_eq!(text.parse::<Date>(), Err(BadDate), "{text}");
    }
    assert_eq!("2024-02-29".parse::<Date>().map(|date| date.to_string()), Ok("2024-02-29".to_owned()));
}
