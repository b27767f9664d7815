//! Times of certificates (RFC 5280 4.1.2.5) as seconds since 1970, and back for people.

use crate::der::{Element, GENERALIZED_TIME, Malformed, UTC_TIME};

/// Reads a UTCTime or GeneralizedTime in the one form that RFC 5280 leaves. Times before 1970 count as 1970.
pub(crate) fn read(element: Element<'_>) -> Result<u64, Malformed> {
    let (century, text) = match (element.tag, element.value) {
        (UTC_TIME, text) => (None, text),
        (GENERALIZED_TIME, [a, b, text @ ..]) => (Some(two_digits(*a, *b)?), text),
        _ => return Err(Malformed),
    };
    let &[y1, y2, m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'Z'] = text else { return Err(Malformed) };
    let in_century = two_digits(y1, y2)?;
    // RFC 5280 4.1.2.5.1: 50 to 99 are of the 20th century.
    let century = century.unwrap_or(if in_century >= 50 { 19 } else { 20 });
    let year = century * 100 + in_century;
    let month = two_digits(m1, m2)?;
    let day = two_digits(d1, d2)?;
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(i1, i2)?, two_digits(s1, s2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(Malformed);
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Ok(u64::try_from(seconds).unwrap_or(0))
}

fn two_digits(tens: u8, ones: u8) -> Result<i64, Malformed> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    } else {
        Err(Malformed)
    }
}

/// Days since 1970-01-01. The year is counted from March, so that the leap day is its last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 153 days in five months from March on; 719,468 days from 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// 9999-12-31.
const LAST_DAY: i64 = 2_932_896;

/// A time for people: `2027-01-15 08:00:00 UTC`.
pub(crate) struct Moment(pub(crate) u64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No certificate can hold longer than the year 9999.
        let days = i64::try_from(self.0 / 86_400).unwrap_or(i64::MAX).min(LAST_DAY);
        let of_day = self.0 % 86_400;
        // A guess that is never too low, and a few years too high at most.
        let mut year = 1970 + days / 365;
        while days_from_civil(year, 1, 1) > days && year > 1970 {
            year -= 1;
        }
        let month = (1..=12).rev().find(|month| days_from_civil(year, *month, 1) <= days).unwrap_or(1);
        let day = days - days_from_civil(year, month, 1) + 1;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

#[cfg(test)]
mod tests;
