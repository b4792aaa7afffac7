//! How old an object may be that is shown: what its response says of it, against what its dataset allows.

use partywall_tenancy::{Retention, UnixSeconds};

use crate::extension;

/// Judges a response by its `values` of the retention's header: one time, as `Last-Modified` writes it (RFC 9110,
/// section 5.6.7) or as RFC 3339 does, in whole seconds or parts of them.
///
/// An error says in plain words why it may not be shown. What does not tell its age may not.
pub fn judge<'v>(
    retention: &Retention,
    mut values: impl Iterator<Item = &'v [u8]>,
    now: UnixSeconds,
) -> Result<(), &'static str> {
    // Of a dataset without a header, what no field is looked for in.
    if retention.header.is_none() {
        return Err("neither a header nor a field of the body is there to tell how old the object is");
    }
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err("the response does not tell how old the object is, or tells it twice");
    };
    let since = str::from_utf8(value).ok().and_then(|text| http_date(text).or_else(|| rfc_3339(text)));
    let since = since.ok_or("what the response tells of the object's age is no time")?;
    if since < oldest(retention.age, now) { Err("the object is older than its dataset may be shown") } else { Ok(()) }
}

/// The time, in seconds since the Unix epoch, before which an object has outlived its dataset `now`. What will only
/// come to be is young.
pub(crate) fn oldest(age: u32, now: UnixSeconds) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(i64::from(age))
}

/// Seconds since the Unix epoch, or parts of them, as JSON writes a number: rounded down. `None` for what is of no year
/// from 1 to 9999, as milliseconds are.
pub(crate) fn unix_seconds(number: &str) -> Option<i64> {
    let seconds = number.parse::<f64>().ok()?.floor();
    YEARS.contains(&seconds).then_some(seconds as i64)
}

/// From 0001-01-01 to 9999-12-31.
const YEARS: std::ops::RangeInclusive<f64> = -62_135_596_800.0..=253_402_300_799.0;

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that may be written today, in seconds since the Unix epoch.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.strip_suffix(" GMT")?.split(' ');
    let weekday = parts.next()?.strip_suffix(',')?;
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if weekday.len() != 3 || parts.next().is_some() {
        return None;
    }
    extension::datetime(&format!("{year}-{month:02}-{day}T{time}Z")).map(|millis| millis.div_euclid(1000))
}

/// `2026-11-20T10:00:00Z`, or with a fraction of a second or an offset as `+01:00`.
pub(crate) fn rfc_3339(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_at_checked("2026-11-20T10:00:00".len())?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
        None => rest,
    };
    let zone = match rest.split_once(':') {
        Some((hours, minutes)) => format!("{hours}{minutes}"),
        None if rest == "Z" => rest.to_owned(),
        None => return None,
    };
    extension::datetime(&format!("{whole}{zone}")).map(|millis| millis.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T10:00:00Z.
    const THEN: UnixSeconds = 1_795_168_800;

    fn judged(values: &[&str], after: UnixSeconds) -> Result<(), &'static str> {
        let retention = Retention { age: 3_600, header: Some("last-modified".into()) };
        judge(&retention, values.iter().map(|value| value.as_bytes()), THEN + after)
    }

    #[test]
    fn an_object_is_shown_until_its_age_is_over() {
        for text in [
            "Fri, 20 Nov 2026 10:00:00 GMT",
            "2026-11-20T10:00:00Z",
            "2026-11-20T10:00:00.999999Z",
            "2026-11-20T11:00:00+01:00",
            "2026-11-20T04:30:00-05:30",
        ] {
            assert_eq!(judged(&[text], 3_600), Ok(()), "{text}");
            assert!(judged(&[text], 3_601).is_err(), "{text}");
            assert_eq!(judged(&[text], 0), Ok(()), "{text}");
        }
        assert_eq!(judged(&["2027-01-01T00:00:00Z"], 0), Ok(()), "it will only come to be");
    }

    #[test]
    fn what_does_not_tell_its_age_is_not_shown() {
        for values in [
            &[][..],
            &["2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"],
            &[""],
            &["yesterday"],
            &["2026-11-20"],
            &["2026-11-20T10:00:00"],
            &["2026-11-20T10:00:00.Z"],
            &["2026-11-20T10:00:00+0100"],
            &["2026-13-20T10:00:00Z"],
            &["20 Nov 2026 10:00:00 GMT"],
            &["Fri, 31 Nov 2026 10:00:00 GMT"],
            &["Fri, 20 nov 2026 10:00:00 GMT"],
            &["Fri, 20 Nov 2026 10:00:00 GMT GMT"],
            &["Friday, 20-Nov-26 10:00:00 GMT"],
        ] {
            assert!(judged(values, 0).is_err(), "{values:?}");
        }
        let retention = Retention { age: 1, header: Some("x".into()) };
        assert!(judge(&retention, [&b"\xff"[..]].into_iter(), THEN).is_err());
        let nowhere = Retention { age: 1, header: None };
        assert!(judge(&nowhere, [&b"2999-01-01T00:00:00Z"[..]].into_iter(), THEN).is_err());
    }

    #[test]
    fn a_number_is_seconds_and_nothing_else() {
        for (number, seconds) in [
            ("1795168800", Some(1_795_168_800)),
            ("1795168800.999", Some(1_795_168_800)),
            ("1.7951688e9", Some(1_795_168_800)),
            ("-0.5", Some(-1)),
            ("0", Some(0)),
            ("253402300799", Some(253_402_300_799)),
            ("253402300800", None),
            ("1795168800000", None),
            ("-1e12", None),
            ("1e400", None),
            ("-1e400", None),
            ("nan", None),
            ("", None),
        ] {
            assert_eq!(unix_seconds(number), seconds, "{number}");
        }
    }
}
