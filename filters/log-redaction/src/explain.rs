//! A decision with what it was decided on, as it may stand in an access log: enough to decide it again under
//! another bundle, and nobody's name.
//!
//! ```text
//! {"partywall":1,"time":1795507200,"revision":7,"overlay":1795507199000,"decision":"allow","policy":"viewers-read",
//!  "service":"orders","tenant":"t1_…","principal":"s1_…","method":"GET","path":"/orders/{id}","action":"orders:read",
//!  "resource":"Order","id":"r1_…","roles":["viewer"],"consents":["analytics"]}
//! ```
//!
//! The first member says that this is one, and of which version. A member that has nothing to say is left out.

/// The version of what [`Decided::write`] writes.
pub const EXPLAIN_VERSION: u32 = 1;

/// What was decided, and under what.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// When, in seconds since the Unix epoch.
    pub time: u64,
    /// The revision of the bundle, 0 for none.
    pub revision: u64,
    /// The sequence of the overlay, 0 for none.
    pub overlay: u64,
    /// Whether it was let in.
    pub allowed: bool,
    /// Whether it was let in only because it is in shadow: reason and policy are those of the denial that would have
    /// been.
    pub shadow: bool,
    /// Why not.
    pub reason: &'a str,
    /// The policy that settled it.
    pub policy: &'a str,
    /// The service called, where it is known.
    pub service: &'a str,
    /// The tenant's fingerprint, where there is one.
    pub tenant: &'a str,
    /// What [`Asked::write`] wrote, where authorization was asked.
    pub asked: &'a str,
}

/// What authorization was asked. Every text that a request could choose is a fingerprint here.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The principal's fingerprint; empty for nobody.
    pub principal: &'a str,
    /// The operation that covers the request, if one does.
    pub operation: Option<Asking<'a>>,
    /// The region in which it was decided; empty where nobody knew, or nothing asked.
    pub region: &'a str,
    /// The cell in which it was decided; empty where all cells are served.
    pub cell: &'a str,
    /// The SPIFFE ID of who calls, where policies ask for it: it names a program and no person. Empty where nobody knows.
    pub caller: &'a str,
}

/// The operation asked for, and what the request shows of its resource.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path template, as `/orders/{id}`.
    pub path: &'a str,
    /// Its action.
    pub action: &'a str,
    /// The type of its resource.
    pub resource: &'a str,
    /// The fingerprint of the resource's id; empty where the request shows none.
    pub id: &'a str,
    /// The fingerprint of the owner that the request shows; empty where it shows none.
    pub owner: &'a str,
}

/// Names that belong to a decision and to nobody: what a role is called, a network, a scope, a feature or a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// What the operation asks for beside method and path, as `query.view=full`.
    When,
    /// What the request's route says of it, as `purpose=service`, where the service listens to routes.
    Route,
    /// The principal's roles, those that policies name.
    Roles,
    /// Networks that the client called from, where policies ask for them.
    Networks,
    /// Scopes of the credential, those that policies name; [`OTHER_SCOPES`] stands for the rest.
    Scopes,
    /// Features of the principal's tenant, those that policies name.
    Features,
    /// Consents of the principal's tenant that hold, those that policies name.
    Consents,
    /// Consents that the tenant's record gives and the overlay withdraws.
    Withdrawn,
    /// The same of the resource's owner, where that is another tenant.
    OwnerWithdrawn,
}

/// Stands among the scopes of a record for all those that no policy names: what they are called is nobody's business, that
/// there are some decides. No scope is called so, since none has a blank in it.
pub const OTHER_SCOPES: &str = "other scopes";

/// Stands in the place of all scopes of a credential that has more of them than are decided about.
pub const TOO_MANY_SCOPES: &str = "too many scopes";

impl Names {
    /// Writes them as one member of a JSON object, with a comma before it; nothing where there are none.
    pub fn write<'n>(self, names: impl IntoIterator<Item = &'n str>, out: &mut String) {
        let mut open = false;
        for name in names {
            if open {
                out.push_str(",\"");
            } else {
                out.push_str(",\"");
                out.push_str(self.member());
                out.push_str("\":[\"");
            }
            escaped(name, out);
            out.push('"');
            open = true;
        }
        if open {
            out.push(']');
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::When => "when",
            Self::Route => "route",
            Self::Roles => "roles",
            Self::Networks => "networks",
            Self::Scopes => "scopes",
            Self::Features => "features",
            Self::Consents => "consents",
            Self::Withdrawn => "withdrawn",
            Self::OwnerWithdrawn => "owner_withdrawn",
        }
    }
}

impl Asked<'_> {
    /// Writes it as members of a JSON object, each with a comma before it. [`Names`] may follow.
    pub fn write(&self, out: &mut String) {
        text("principal", self.principal, out);
        if let Some(operation) = &self.operation {
            text("method", operation.method, out);
            text("path", operation.path, out);
            text("action", operation.action, out);
            text("resource", operation.resource, out);
            text("id", operation.id, out);
            text("owner", operation.owner, out);
        }
        text("region", self.region, out);
        text("cell", self.cell, out);
        text("caller", self.caller, out);
    }
}

impl Decided<'_> {
    /// The whole as one JSON object on one line.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(224 + self.asked.len());
        out.push_str("{\"partywall\":");
        number(EXPLAIN_VERSION.into(), &mut out);
        for (name, value) in
            [(",\"time\":", self.time), (",\"revision\":", self.revision), (",\"overlay\":", self.overlay)]
        {
            out.push_str(name);
            number(value, &mut out);
        }
        text("decision", if self.allowed { "allow" } else { "deny" }, &mut out);
        text("shadow", if self.shadow { "deny" } else { "" }, &mut out);
        text("reason", self.reason, &mut out);
        text("policy", self.policy, &mut out);
        text("service", self.service, &mut out);
        text("tenant", self.tenant, &mut out);
        out.push_str(self.asked);
        out.push('}');
        out
    }
}

/// Names are words of ours, so they stand as they are.
pub(crate) fn text(name: &str, value: &str, out: &mut String) {
    if value.is_empty() {
        return;
    }
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":\"");
    escaped(value, out);
    out.push('"');
}

/// As JSON wants it (RFC 8259, section 7).
fn escaped(value: &str, out: &mut String) {
    if value.bytes().all(|b| b >= b' ' && !matches!(b, b'"' | b'\\')) {
        return out.push_str(value);
    }
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                out.push_str("\\u00");
                let code = u32::from(c);
                for half in [code >> 4, code & 15] {
                    out.push(char::from_digit(half, 16).unwrap_or_default());
                }
            }
            c => out.push(c),
        }
    }
}

/// In decimal digits; formatting machinery would cost more than all the rest.
pub(crate) fn number(mut value: u64, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(20 - used).map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECIDED: Decided<'_> = Decided {
        time: 1_795_507_200,
        revision: 7,
        overlay: u64::MAX,
        allowed: true,
        shadow: false,
        reason: "",
        policy: "viewers-read",
        service: "orders",
        tenant: "t1_0f",
        asked: "",
    };

    #[test]
    fn what_would_have_been_stands_beside_what_was() {
        let shadow = Decided { shadow: true, reason: "policy_denied", policy: "no-export", ..DECIDED }.write();
        let told = r#""decision":"allow","shadow":"deny","reason":"policy_denied","policy":"no-export","#;
        assert!(shadow.contains(told), "{shadow}");
    }

    #[test]
    fn a_decision_with_everything_and_one_with_nothing() {
        let operation = Asking {
            method: "GET",
            path: "/orders/{id}",
            action: "orders:read",
            resource: "Order",
            id: "r1_0f",
            owner: "t1_0f",
        };
        let mut asked = String::new();
        let whole = Asked {
            principal: "s1_0f",
            operation: Some(operation),
            region: "eu",
            cell: "eu-1",
            caller: "spiffe://m/a",
        };
        whole.write(&mut asked);
        Names::When.write(["query.view=full"], &mut asked);
        Names::Route.write(["purpose=service"], &mut asked);
        Names::Roles.write(["viewer", "a\"b"], &mut asked);
        Names::Networks.write(["office", "vpn"], &mut asked);
        Names::Scopes.write(["orders:read", OTHER_SCOPES], &mut asked);
        Names::Features.write([], &mut asked);
        Names::Consents.write(["analytics"], &mut asked);
        Names::Withdrawn.write(["mail", "trace"], &mut asked);
        Names::OwnerWithdrawn.write(["mail"], &mut asked);
        assert_eq!(
            Decided { asked: &asked, ..DECIDED }.write(),
            concat!(
                r#"{"partywall":1,"time":1795507200,"revision":7,"overlay":18446744073709551615,"decision":"allow","#,
                r#""policy":"viewers-read","service":"orders","tenant":"t1_0f","principal":"s1_0f","method":"GET","#,
                r#""path":"/orders/{id}","action":"orders:read","resource":"Order","id":"r1_0f","owner":"t1_0f","#,
                r#""region":"eu","cell":"eu-1","caller":"spiffe://m/a","when":["query.view=full"],"route":["purpose=service"],"roles":["viewer","a\"b"],"networks":["office","vpn"],"scopes":["orders:read","other scopes"],"consents":["analytics"],"withdrawn":["mail","trace"],"#,
                r#""owner_withdrawn":["mail"]}"#,
            )
        );
        let mut nothing = String::new();
        Asked { principal: "", operation: None, region: "", cell: "", caller: "" }.write(&mut nothing);
        Names::Roles.write([], &mut nothing);
        assert_eq!(nothing, "");
        let denied = Decided {
            time: 0,
            revision: 0,
            overlay: 10,
            allowed: false,
            shadow: false,
            reason: "policy_unavailable",
            policy: "",
            service: "",
            tenant: "",
            asked: "",
        };
        let expected =
            r#"{"partywall":1,"time":0,"revision":0,"overlay":10,"decision":"deny","reason":"policy_unavailable"}"#;
        assert_eq!(denied.write(), expected);
    }

    #[test]
    fn nothing_breaks_out_of_its_text() {
        let written = Decided { policy: "a\"b\\c\n\u{1f}é", ..DECIDED }.write();
        assert!(written.contains(r#""policy":"a\"b\\c\u000a\u001fé""#), "{written}");
    }
}
