//! What a record says beside its value: the one place where anything within records is looked at, for the log alone.
//!
//! Records are in batches: <https://kafka.apache.org/documentation/#recordbatch>. What is compressed, or in an older form, says
//! nothing here.

use crate::kafka::codec::Input;

/// The form of batches since Kafka 0.11, the first whose records have headers.
const MAGIC: i8 = 2;
/// The bits of a batch's attributes that name a compression.
const COMPRESSION: i16 = 0b111;
/// How many headers of a record are looked at.
const HEADERS: i64 = 32;

/// The value of the header `name` of the first record, if what there is of the batches holds it.
pub(super) fn header<'r>(records: &'r [u8], name: &[u8]) -> Option<&'r [u8]> {
    let mut input = Input::new(records);
    // The first offset, the length and the leader's epoch.
    input.take(8 + 4 + 4).ok()?;
    let magic = input.i8().ok()?;
    input.take(4).ok()?;
    if magic != MAGIC || input.i16().ok()? & COMPRESSION != 0 {
        return None;
    }
    // The last offset, two times, the producer with its epoch and sequence, how many records.
    input.take(4 + 8 + 8 + 8 + 2 + 4 + 4).ok()?;
    // The record: its length, attributes, time and offset, key and value.
    varint(&mut input)?;
    input.take(1).ok()?;
    varint(&mut input)?;
    varint(&mut input)?;
    bytes(&mut input)?;
    bytes(&mut input)?;
    for _ in 0..varint(&mut input)?.min(HEADERS) {
        let (key, value) = (bytes(&mut input)?, bytes(&mut input)?);
        if key == name {
            return Some(value);
        }
    }
    None
}

/// Bytes with their length; null is empty.
fn bytes<'r>(input: &mut Input<'r>) -> Option<&'r [u8]> {
    match varint(input)? {
        -1 => Some(&[]),
        length => input.take(usize::try_from(length).ok()?).ok(),
    }
}

/// A signed number, seven bits a byte, its sign in the lowest bit.
fn varint(input: &mut Input<'_>) -> Option<i64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *input.take(1).ok()?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of one record with the value `value` and these headers.
    fn batch(attributes: u8, value: &[u8], headers: &[(&str, &str)]) -> Vec<u8> {
        let length = |out: &mut Vec<u8>, length: usize| {
            let mut rest = length * 2;
            while rest > 0x7f {
                out.push(rest as u8 & 0x7f | 0x80);
                rest >>= 7;
            }
            out.push(rest as u8);
        };
        let mut record = vec![0, 0x83, 0x01, 0, 1];
        length(&mut record, value.len());
        record.extend(value);
        length(&mut record, headers.len());
        for (key, value) in headers {
            length(&mut record, key.len());
            record.extend(key.as_bytes());
            length(&mut record, value.len());
            record.extend(value.as_bytes());
        }
        let mut out = vec![0; 61];
        (out[16], out[22], out[60]) = (2, attributes, 1);
        length(&mut out, record.len());
        out.extend(record);
        out
    }

    const HEADERS: &[(&str, &str)] = &[("a", ""), ("traceparent", "00-x"), ("traceparent", "another")];

    #[test]
    fn the_first_header_of_that_name_is_found() {
        let records = batch(0, &[7; 300], HEADERS);
        assert_eq!(header(&records, b"traceparent"), Some(&b"00-x"[..]));
        assert_eq!(header(&records, b"a"), Some(&b""[..]));
        assert_eq!(header(&records, b"b"), None);
        for end in 0..records.len() - "traceparent".len() - "another".len() - 2 {
            assert_eq!(header(&records[..end], b"traceparent"), None, "at {end}");
        }
    }

    #[test]
    fn what_is_compressed_or_in_another_form_says_nothing() {
        assert_eq!(header(&batch(0b001, b"", HEADERS), b"traceparent"), None);
        assert!(header(&batch(0b1_0000, b"", HEADERS), b"traceparent").is_some(), "a transaction's");
        let mut old = batch(0, b"", HEADERS);
        old[16] = 1;
        assert_eq!(header(&old, b"traceparent"), None);
    }

    #[test]
    fn lengths_that_cannot_be_say_nothing() {
        let good = batch(0, b"value", HEADERS);
        for at in 61..good.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = header(&bad, b"traceparent");
            }
        }
        assert_eq!(header(&[&good[..61], &[0xff; 40][..]].concat(), b"traceparent"), None);
    }
}
