//! SASL: who a client says to be is read on the way, and believed once the broker did.

use std::rc::Rc;

use super::peers::Proof;

/// The longest name of a user, in bytes.
const LONGEST_USER: usize = 1024;

/// The mechanisms whose messages are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    /// Of any hash: they differ in nothing that is read.
    Scram,
    Bearer,
}

impl Mechanism {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"PLAIN" => Some(Mechanism::Plain),
            b"SCRAM-SHA-256" | b"SCRAM-SHA-512" => Some(Mechanism::Scram),
            b"OAUTHBEARER" => Some(Mechanism::Bearer),
            _ => None,
        }
    }
}

/// Where the exchange stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// None is under way.
    Idle,
    /// The broker was asked whether it takes the mechanism.
    Asked,
    /// It does: the client's first message comes next.
    Ready(Mechanism),
    /// It was shown something, and has not answered. Nothing may come before it does.
    Waiting,
    /// It wants to hear more of what was shown.
    Challenged(Shown),
}

/// What was shown to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) mechanism: Mechanism,
    /// Whose it is, if the broker believes it.
    pub(super) tenant: Rc<str>,
    /// How many messages the client has sent.
    pub(super) messages: u8,
}

impl Shown {
    pub(super) fn held(&self) -> usize {
        self.tenant.len()
    }

    /// Whether a response without error means that it is believed.
    pub(super) fn is_proved_by(&self, answer: &[u8]) -> bool {
        match self.mechanism {
            Mechanism::Plain => self.messages == 1,
            // A broker tells what is wrong with a token without an error at first.
            Mechanism::Bearer => self.messages == 1 && answer.is_empty(),
            Mechanism::Scram => self.messages == 2 && answer.starts_with(b"v="),
        }
    }

    /// Whether the broker may want to hear more.
    pub(super) fn goes_on(&self) -> bool {
        self.messages == 1 && self.mechanism != Mechanism::Plain
    }
}

/// What a client's first message shows; `None` where it is not understood, or speaks for somebody else.
pub(super) fn first(mechanism: Mechanism, message: &[u8], user: &mut Vec<u8>) -> Option<()> {
    let name = match mechanism {
        Mechanism::Plain => plain(message)?,
        Mechanism::Scram => return scram(message, user),
        Mechanism::Bearer => bearer(message)?,
    };
    user.extend_from_slice(name);
    Some(())
}

/// As what it is proved.
pub(super) fn proof(mechanism: Mechanism, shown: &[u8]) -> Proof<'_> {
    match mechanism {
        Mechanism::Plain | Mechanism::Scram => Proof::User(shown),
        Mechanism::Bearer => Proof::Token(shown),
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616).
fn plain(message: &[u8]) -> Option<&[u8]> {
    let mut parts = message.split(|byte| *byte == 0);
    let (authorized, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = parts.next().is_none() && !user.is_empty() && user.len() <= LONGEST_USER && !password.is_empty();
    (fits && (authorized.is_empty() || authorized == user)).then_some(user)
}

/// `n,[a=authzid],n=user,r=nonce` (RFC 5802). Extensions may change who somebody is, as Kafka's `tokenauth` does: there
/// may be none.
fn scram(message: &[u8], user: &mut Vec<u8>) -> Option<()> {
    let rest = message.strip_prefix(b"n,").or_else(|| message.strip_prefix(b"y,"))?;
    let mut parts = rest.split(|byte| *byte == b',');
    let (authorized, name, nonce) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !nonce.starts_with(b"r=") {
        return None;
    }
    let name = name.strip_prefix(b"n=").filter(|name| !name.is_empty() && name.len() <= LONGEST_USER)?;
    if !authorized.is_empty() && authorized.strip_prefix(b"a=")? != name {
        return None;
    }
    let mut rest = name;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'=' {
            user.push(*byte);
            continue;
        }
        let (escaped, after) = after.split_at_checked(2)?;
        user.push(match escaped {
            b"2C" => b',',
            b"3D" => b'=',
            _ => return None,
        });
        rest = after;
    }
    Some(())
}

/// `n,[a=authzid],^Aauth=Bearer token^A[key=value^A]^A` (RFC 7628).
fn bearer(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"n,").or_else(|| message.strip_prefix(b"y,"))?;
    // Whom the token is of it says itself.
    let mut parts = rest.strip_prefix(b",")?.split(|byte| *byte == 1);
    if !parts.next()?.is_empty() {
        return None;
    }
    let mut token = None;
    for part in parts {
        let Some(value) = part.strip_prefix(b"auth=") else { continue };
        // Two of them could be read in two ways.
        if token.is_some() {
            return None;
        }
        token = value.strip_prefix(b"Bearer ").filter(|token| !token.is_empty());
        token?;
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(mechanism: Mechanism, message: &[u8]) -> Option<Vec<u8>> {
        let mut user = Vec::new();
        first(mechanism, message, &mut user).map(|()| user)
    }

    #[test]
    fn who_it_is_is_read_from_the_first_message() {
        for (mechanism, message, user) in [
            (Mechanism::Plain, b"\0alice\0secret".as_slice(), b"alice".as_slice()),
            (Mechanism::Plain, b"alice\0alice\0secret", b"alice"),
            (Mechanism::Scram, b"n,,n=alice,r=abc", b"alice"),
            (Mechanism::Scram, b"n,a=alice,n=alice,r=abc", b"alice"),
            (Mechanism::Scram, b"y,,n=a=2Cb=3Dc,r=abc", b"a,b=c"),
            (Mechanism::Bearer, b"n,,\x01auth=Bearer a.b.c\x01\x01", b"a.b.c"),
            (Mechanism::Bearer, b"n,,\x01k=v\x01auth=Bearer a.b.c\x01\x01", b"a.b.c"),
        ] {
            assert_eq!(shown(mechanism, message).as_deref(), Some(user), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn what_could_be_somebody_else_is_refused() {
        for (mechanism, message) in [
            (Mechanism::Plain, b"bob\0alice\0secret".as_slice()),
            (Mechanism::Plain, b"\0alice\0secret\0more"),
            (Mechanism::Plain, b"\0alice"),
            (Mechanism::Plain, b"\0\0secret"),
            (Mechanism::Scram, b"n,a=bob,n=alice,r=abc"),
            (Mechanism::Scram, b"n,,n=alice,r=abc,tokenauth=true"),
            (Mechanism::Scram, b"n,,m=x,n=alice,r=abc"),
            (Mechanism::Scram, b"p=tls-unique,,n=alice,r=abc"),
            (Mechanism::Scram, b"n,,n=a=4Cb,r=abc"),
            (Mechanism::Scram, b"n,,n=a=2,r=abc"),
            (Mechanism::Bearer, b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01"),
            (Mechanism::Bearer, b"n,a=bob,\x01auth=Bearer a\x01\x01"),
            (Mechanism::Bearer, b"n,,\x01auth=Basic a\x01\x01"),
            (Mechanism::Bearer, b"n,,\x01\x01"),
        ] {
            assert_eq!(shown(mechanism, message), None, "{}", message.escape_ascii());
        }
    }
}
