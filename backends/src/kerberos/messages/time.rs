//! KerberosTime (RFC 4120 section 5.2.3): seconds in UTC, `19851106210627Z`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KerberosTime(i64);

impl KerberosTime {
    /// This second, and the microseconds of it that have passed.
    pub fn now() -> (Self, u32) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)), since.subsec_micros())
    }

    /// Reads the 15 characters.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (digits, b"Z") = text.split_at_checked(14)? else { return None };
        let mut numbers = digits.chunks(2).map(|pair| match pair {
            [ten @ b'0'..=b'9', one @ b'0'..=b'9'] => {
                Some(i64::from(ten - b'0') * 10 + i64::from(one - b'0'))
            }
            _ => None,
        });
        let mut next = || numbers.next().flatten();
        let (century, year, month, day) = (next()?, next()?, next()?, next()?);
        let (hour, minute, second) = (next()?, next()?, next()?);
        let sensible =
            (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        let days = days_from_civil(century * 100 + year, month, day);
        sensible.then_some(Self(days * DAY + hour * 3600 + minute * 60 + second))
    }

    /// Seconds from `other` to this.
    pub fn seconds_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for KerberosTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, years beginning in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    (year + era * 400, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back() {
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("19851106210627Z", 500_159_187),
            ("20000229235959Z", 951_868_799),
            ("20380119031408Z", 2_147_483_648),
            ("21000301000000Z", 4_107_542_400),
        ] {
            assert_eq!(KerberosTime::parse(text.as_bytes()), Some(KerberosTime(seconds)), "{text}");
            assert_eq!(KerberosTime(seconds).to_string(), text);
        }
        for text in ["", "19851106210627", "19851306210627Z", "1985110621062xZ", "19851106210627.5Z"] {
            assert_eq!(KerberosTime::parse(text.as_bytes()), None, "{text}");
        }
    }
}
