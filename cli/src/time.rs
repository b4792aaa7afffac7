//! Times as RFC 3339 writes them, in UTC and whole seconds.

use partywall_tenancy::UnixSeconds;

const DAY: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// As `2027-01-31T00:00:00Z`. Far beyond any calendar the plain number says more.
pub(crate) fn rfc3339(seconds: UnixSeconds) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    if days > 2_900_000 {
        return seconds.to_string();
    }
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Reads `2027-01-31T00:00:00Z`, and no other spelling: the time of another zone is easily mistaken.
pub(crate) fn parse_rfc3339(text: &str) -> Option<UnixSeconds> {
    let shaped = text.len() == 20
        && text.bytes().zip(*b"0000-00-00T00:00:00Z").all(|(b, form)| match form {
            b'0' => b.is_ascii_digit(),
            other => b == other,
        });
    if !shaped {
        return None;
    }
    let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(year, month, day).checked_sub(EPOCH)?;
    // A day that its month does not have comes back as another one.
    (civil(days) == (year, month, day)).then_some(days * DAY + hour * 3_600 + minute * 60 + second)
}

/// Days since 0000-03-01: years are counted from March, so that the day that may be missing is the last one.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, shifted) = if month < 3 { (year.saturating_sub(1), month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (year / 400, year % 400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100
        + (153 * shifted + 2) / 5
        + day.saturating_sub(1)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_and_back() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_801_353_600, "2027-01-31T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
            assert_eq!(parse_rfc3339(date), Some(seconds), "{date}");
        }
        assert_eq!(rfc3339(u64::MAX), "18446744073709551615");
        for day in (0..80_000).step_by(7) {
            assert_eq!(parse_rfc3339(&rfc3339(day * DAY + day)), Some(day * DAY + day));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "2027-01-31T00:00:00+01:00",
            "2027-01-31t00:00:00z",
            "2027-02-29T00:00:00Z",
            "2027-00-10T00:00:00Z",
            "2027-04-31T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "+027-01-31T00:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
