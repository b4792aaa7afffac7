//! `decimal`: 64 bits with four digits after the point.

/// Reads `-?[0-9]+.[0-9]+` with at most four digits after the point, as ten thousandths.
///
/// `-0.5` is minus a half, though its whole part is zero.
pub fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole),
    };
    if digits.is_empty() || fraction.is_empty() || fraction.len() > 4 {
        return None;
    }
    if !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10i64.checked_pow(4u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
    let whole = whole.parse::<i64>().ok()?.checked_mul(10_000)?;
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(scale)?;
    if negative { whole.checked_sub(fraction) } else { whole.checked_add(fraction) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_a_decimal_and_nothing_else() {
        for (text, value) in [
            ("1.23", Some(12_300)),
            ("-0.5", Some(-5_000)),
            ("0.0001", Some(1)),
            ("007.10", Some(71_000)),
            ("922337203685477.5807", Some(i64::MAX)),
            ("-922337203685477.5808", Some(i64::MIN)),
            ("922337203685477.5808", None),
            ("1.23456", None),
            ("1.", None),
            (".1", None),
            ("1", None),
            ("+1.0", None),
            ("1.-1", None),
            ("1.0 ", None),
            ("١.0", None),
        ] {
            assert_eq!(decimal(text), value, "{text}");
        }
    }
}
