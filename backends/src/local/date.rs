//! A day of the proleptic Gregorian calendar, for expiry dates.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A day, written `YYYY-MM-DD`, 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date of the form YYYY-MM-DD from 1970 on")]
pub struct BadDate;

impl Date {
    /// A day that exists.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, BadDate> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err(BadDate),
        };
        if (1970..=9999).contains(&year) && (1..=last).contains(&day) {
            Ok(Self { year, month, day })
        } else {
            Err(BadDate)
        }
    }

    /// True once the whole day has passed, in UTC.
    pub fn has_passed(self, now: SystemTime) -> bool {
        now >= UNIX_EPOCH + Duration::from_secs((self.days_since_1970() + 1) * 86_400)
    }

    /// Counted in years that begin in March, so that the leap day is the last of its year.
    fn days_since_1970(self) -> u64 {
        let (year, month, day) = (u64::from(self.year), u64::from(self.month), u64::from(self.day));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days_to_1970_03_01_of_year_0 = 719_468;
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day
            - 1
            - days_to_1970_03_01_of_year_0
    }
}

impl FromStr for Date {
    type Err = BadDate;

    fn from_str(text: &str) -> Result<Self, BadDate> {
        let digits = |part: Option<&str>, length: usize| -> Result<u16, BadDate> {
            part.filter(|part| part.len() == length && part.bytes().all(|octet| octet.is_ascii_digit()))
                .and_then(|part| part.parse().ok())
                .ok_or(BadDate)
        };
        let mut parts = text.split('-');
        let year = digits(parts.next(), 4)?;
        let month = digits(parts.next(), 2)?;
        let day = digits(parts.next(), 2)?;
        match (parts.next(), u8::try_from(month), u8::try_from(day)) {
            (None, Ok(month), Ok(day)) => Self::new(year, month, day),
            _ => Err(BadDate),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests;
