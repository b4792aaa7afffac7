//! `baggage` (W3C Baggage): tenant members that a client or app puts there are claims like any other.

use crate::{Headers, take_out::is_claim};

/// What to write instead of the request's `baggage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Baggage {
    /// It holds no claim, or is not there.
    Keep,
    /// The members that are none; empty where there are none.
    Replace(String),
}

/// Takes out members whose key is `tenant`, `tenant-id`, one of ours, or a legacy identity header.
/// What is not text is taken out whole: it cannot be read, so it cannot be judged.
pub fn take_out(headers: Headers<'_>, legacy: &[String]) -> Baggage {
    let mut kept: Vec<&str> = Vec::new();
    let mut found = false;
    for value in headers.all("baggage") {
        let Ok(text) = str::from_utf8(value) else {
            found = true;
            continue;
        };
        for member in text.split(',').map(str::trim).filter(|m| !m.is_empty()) {
            let key = member.split(['=', ';']).next().unwrap_or_default().trim();
            if is_claim(key, legacy) {
                found = true;
            } else {
                kept.push(member);
            }
        }
    }
    if found { Baggage::Replace(kept.join(",")) } else { Baggage::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baggage(values: &[&[u8]]) -> Baggage {
        let headers: Vec<_> = values.iter().map(|v| ("baggage".to_string(), v.to_vec())).collect();
        take_out(Headers(&headers), &["x-tenant".into()])
    }

    #[test]
    fn claims_go_and_the_rest_stays() {
        assert_eq!(baggage(&[]), Baggage::Keep);
        assert_eq!(baggage(&[b"a=1;p=2, b=3"]), Baggage::Keep);
        let mixed: &[&[u8]] = &[b"a=1;p=2,Tenant_ID = globex;x", b"x-tenant=a,b=3,x-partywall-tenant=b,tenant=c"];
        assert_eq!(baggage(mixed), Baggage::Replace("a=1;p=2,b=3".into()));
        assert_eq!(baggage(&[b"tenant.id=x"]), Baggage::Replace(String::new()));
        assert_eq!(baggage(&[b"a=\xff"]), Baggage::Replace(String::new()));
    }
}
