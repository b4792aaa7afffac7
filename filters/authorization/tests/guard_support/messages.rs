//! Messages of gRPC as a person writes them: `1{2"x" 3"acme"} 4=17 | 1{}`; and as bytes.

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Message(Vec<(u32, Held)>),
    Text(Vec<u8>),
    Number(u64),
}

/// A message: its fields in their order.
pub(crate) type Message = Vec<(u32, Held)>;

/// Reads messages divided by `|`, each with its prefix; none of an empty text.
pub(crate) fn messages(text: &str) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split('|').flat_map(|text| framed(&encode(&parse(&mut text.trim())))).collect()
}

/// A message with its prefix.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn parse(rest: &mut &str) -> Message {
    let mut message = Vec::new();
    loop {
        *rest = rest.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return message;
        }
        let number = rest[..digits].parse().unwrap();
        let sign = rest[digits..].chars().next().unwrap();
        *rest = &rest[digits + 1..];
        let held = match sign {
            '{' => {
                let inner = parse(rest);
                *rest = rest.strip_prefix('}').expect("a brace must close");
                Held::Message(inner)
            }
            '"' => {
                let (text, after) = rest.split_once('"').unwrap();
                *rest = after;
                Held::Text(text.as_bytes().to_vec())
            }
            '=' => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let value = rest[..digits].parse().unwrap();
                *rest = &rest[digits..];
                Held::Number(value)
            }
            other => panic!("`{other}` holds nothing"),
        };
        message.push((number, held));
    }
}

pub(crate) fn encode(message: &[(u32, Held)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, held) in message {
        let tag = |wire: u64| u64::from(*number) << 3 | wire;
        let bytes = match held {
            Held::Number(value) => {
                varint(tag(0), &mut out);
                varint(*value, &mut out);
                continue;
            }
            Held::Text(text) => text.clone(),
            Held::Message(inner) => encode(inner),
        };
        varint(tag(2), &mut out);
        varint(bytes.len() as u64, &mut out);
        out.extend(bytes);
    }
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >> 7 != 0 {
        out.push(value as u8 & 0x7F | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
