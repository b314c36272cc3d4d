//! Time as lines have it: RFC 3339 §5.6, in UTC, with milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-01-31T23:59:59.999Z`
pub(super) struct Written([u8; 24]);

impl Written {
    pub(super) fn as_str(&self) -> &str {
        // Its characters are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes a time down. Years have four digits.
pub(super) fn write(at: SystemTime) -> Written {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (end, value) in [
        (4, year),
        (7, month),
        (10, day),
        (13, second / 3600),
        (16, second / 60 % 60),
        (19, second % 60),
        (23, since.subsec_millis().into()),
    ] {
        digits(text.get_mut(..end).unwrap_or_default(), value);
    }
    Written(text)
}

/// Puts a number's decimal digits over the zeros at the end of a text.
fn digits(text: &mut [u8], mut value: u64) {
    for place in text.iter_mut().rev().take_while(|it| it.is_ascii_digit()) {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Reads a time that was written so.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && text.len() == 24;
    // Counted from 1 March, so that a leap day is the last of its year.
    let year = number(0, 4)?.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let since =
        Duration::from_secs(days * 86_400 + seconds) + Duration::from_millis(number(20, 23)?);
    is_date.then_some(UNIX_EPOCH + since)
}

/// The Gregorian date of a day since 1970: eras of 400 years that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        let at = |seconds: u64| {
            let time = write(UNIX_EPOCH + Duration::from_secs(seconds));
            time.as_str().to_owned()
        };
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn what_was_written_is_read_again() {
        for days in 0..60_000 {
            let time = UNIX_EPOCH + Duration::from_millis(days * 86_400_000 + 86_399_123);
            assert_eq!(read(write(time).as_str()), Some(time));
        }
        for wrong in [
            "",
            "2026",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "1969-12-31T00:00:00.000Z",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
