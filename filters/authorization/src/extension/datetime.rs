//! `datetime` and `duration`: milliseconds in 64 bits.

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Reads `YYYY-MM-DD`, or that with `Thh:mm:ss`, perhaps `.SSS`, and `Z` or `+hhmm` or `-hhmm`, as milliseconds since
/// the Unix epoch.
pub fn datetime(text: &str) -> Option<i64> {
    let mut rest = Digits(text.as_bytes());
    let (year, month, day) = (rest.number(4)?, rest.after(b'-', 2)?, rest.after(b'-', 2)?);
    let date = days(year, month, day)?.checked_mul(DAY)?;
    if rest.0.is_empty() {
        return Some(date);
    }
    let (hour, minute, second) = (rest.after(b'T', 2)?, rest.after(b':', 2)?, rest.after(b':', 2)?);
    let millisecond = if rest.0.first() == Some(&b'.') { rest.after(b'.', 3)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (sign, rest) = rest.0.split_first()?;
    let mut rest = Digits(rest);
    let zone = match sign {
        b'Z' => 0,
        b'+' | b'-' => {
            let (hours, minutes) = (rest.number(2)?, rest.number(2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = (hours * 60 + minutes) * 60_000;
            if *sign == b'+' { east } else { -east }
        }
        _ => return None,
    };
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
    rest.0.is_empty().then_some(date + time - zone)
}

/// Reads `1d2h3m4s5ms`, each part once at most and in this order, perhaps after `-`, as milliseconds.
pub fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut parts = [0u64; 5];
    for (part, unit) in parts.iter_mut().zip(["d", "h", "m", "s", "ms"]) {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        // `5ms` is no five minutes followed by `s`.
        if let Some(after) = after.strip_prefix(unit).filter(|after| unit != "m" || !after.starts_with('s'))
            && !number.is_empty()
        {
            *part = number.parse().ok()?;
            rest = after;
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let [days, hours, minutes, seconds, millis] = parts;
    // Summed from the smallest up, as Cedar does: which sums overflow depends on it.
    let units = [(millis, 1), (seconds, 1000), (minutes, 60_000), (hours, 3_600_000), (days, DAY)];
    units.into_iter().try_fold(0i64, |sum, (count, unit)| {
        if negative && unit == 1 {
            // The one part that may reach the smallest number.
            return i64::try_from(-i128::from(count)).ok();
        }
        let part = i64::try_from(count).ok()?.checked_mul(unit)?;
        if negative { sum.checked_sub(part) } else { sum.checked_add(part) }
    })
}

/// The beginning of the day of a `datetime`.
pub fn to_date(millis: i64) -> Option<i64> {
    millis.checked_sub(millis.rem_euclid(DAY))
}

/// The time since the beginning of the day of a `datetime`.
pub fn time_of_day(millis: i64) -> i64 {
    millis.rem_euclid(DAY)
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; `None` when there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=in_month).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day last, so that months before it have fixed places.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

/// What is left to be read.
struct Digits<'t>(&'t [u8]);

impl Digits<'_> {
    /// The number of exactly so many digits that comes next.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    }

    /// The same behind `mark`.
    fn after(&mut self, mark: u8, digits: usize) -> Option<i64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == mark).then(|| self.number(digits)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates_and_times() {
        for (text, value) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-DAY)),
            ("2000-02-29", Some(951_782_400_000)),
            ("1900-02-29", None),
            ("0000-01-01", Some(-62_167_219_200_000)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999)),
            ("2024-10-15T11:35:00Z", Some(1_728_992_100_000)),
            ("2024-10-15T11:35:00.000+0100", Some(1_728_988_500_000)),
            ("2024-10-15T11:35:00-0100", Some(1_728_995_700_000)),
            ("2024-10-15T24:00:00Z", None),
            ("2024-10-15T11:35:60Z", None),
            ("2024-10-15T11:35:00", None),
            ("2024-10-15T11:35:00.00Z", None),
            ("2024-10-15T11:35:00+2400", None),
            ("2024-10-15T11:35:00+0060", None),
            ("2024-10-15Z", None),
            ("2024-13-01", None),
            ("2024-00-01", None),
            ("2024-01-00", None),
            ("24-01-01", None),
            ("2024-01-01T00:00:00ZZ", None),
        ] {
            assert_eq!(datetime(text), value, "{text}");
        }
    }

    #[test]
    fn reads_durations() {
        for (text, value) in [
            ("1d2h3m4s5ms", Some(93_784_005)),
            ("-1d", Some(-DAY)),
            ("5ms", Some(5)),
            ("5m", Some(300_000)),
            ("5m5ms", Some(300_005)),
            ("5s5m", None),
            ("", None),
            ("-", None),
            ("1", None),
            ("d", None),
            ("1d1d", None),
            ("9223372036854775807ms", Some(i64::MAX)),
            ("-9223372036854775808ms", Some(i64::MIN)),
            ("9223372036854775808ms", None),
            ("106751991168d", None),
        ] {
            assert_eq!(duration(text), value, "{text}");
        }
    }

    #[test]
    fn days_begin_before_what_is_in_them() {
        assert_eq!((to_date(-1), time_of_day(-1)), (Some(-DAY), DAY - 1));
        assert_eq!((to_date(DAY), time_of_day(DAY)), (Some(DAY), 0));
        assert_eq!(to_date(i64::MIN), None);
    }
}
