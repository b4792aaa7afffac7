//! Which part of a SASL user's name is its tenant.

/// Where the tenant stands in the name of a user, as [`EventIdentity::User`](crate::EventIdentity::User) has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserForm {
    /// `{tenant}`: all of it.
    Whole,
    /// `{tenant}.{user}`: before the first of these.
    Before(char),
    /// `{user}@{tenant}`: behind the last of these.
    Behind(char),
}

impl UserForm {
    /// Reads a template. `None` where it is no such one: anything beside the two parameters, or a separator that a
    /// tenant's id may have.
    pub fn parse(template: &str) -> Option<Self> {
        if template == "{tenant}" {
            return Some(Self::Whole);
        }
        let separator = |text: &str| {
            let mut chars = text.chars();
            let one = chars.next().filter(|one| one.is_ascii_punctuation() && !matches!(one, '-' | '{' | '}'))?;
            chars.next().is_none().then_some(one)
        };
        if let Some(between) = template.strip_prefix("{tenant}").and_then(|rest| rest.strip_suffix("{user}")) {
            return separator(between).map(Self::Before);
        }
        let between = template.strip_prefix("{user}").and_then(|rest| rest.strip_suffix("{tenant}"))?;
        separator(between).map(Self::Behind)
    }

    /// The tenant in `user`, whether there is such a tenant or not; `None` where the name has another form. Whoever is
    /// named `{user}` has a name, and it may hold the separator.
    pub fn tenant(self, user: &str) -> Option<&str> {
        match self {
            Self::Whole => Some(user),
            Self::Before(separator) => {
                user.split_once(separator).filter(|(_, rest)| !rest.is_empty()).map(|(tenant, _)| tenant)
            }
            Self::Behind(separator) => {
                user.rsplit_once(separator).filter(|(rest, _)| !rest.is_empty()).map(|(_, tenant)| tenant)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_one_tenant_and_one_way_to_read_it() {
        assert_eq!(UserForm::parse("{tenant}"), Some(UserForm::Whole));
        assert_eq!(UserForm::parse("{tenant}.{user}"), Some(UserForm::Before('.')));
        assert_eq!(UserForm::parse("{user}@{tenant}"), Some(UserForm::Behind('@')));
        for wrong in [
            "",
            "{user}",
            "{tenant}{user}",
            "{tenant}-{user}",
            "{tenant}a{user}",
            "{tenant}..{user}",
            "x.{tenant}",
            "{tenant}.{tenant}",
            "{tenant}.{user}.x",
            "{tenant}é{user}",
            "{tenant} {user}",
            "{tenant}{{user}",
        ] {
            assert_eq!(UserForm::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tenant_is_told_from_the_rest() {
        for (template, user, tenant) in [
            ("{tenant}", "acme", Some("acme")),
            ("{tenant}.{user}", "acme.jo.hn", Some("acme")),
            ("{tenant}.{user}", "acme.", None),
            ("{tenant}.{user}", "acme", None),
            ("{tenant}.{user}", ".john", Some("")),
            ("{user}@{tenant}", "jo@hn@acme", Some("acme")),
            ("{user}@{tenant}", "globex@svc@acme", Some("acme")),
            ("{user}@{tenant}", "@acme", None),
        ] {
            assert_eq!(UserForm::parse(template).unwrap().tenant(user), tenant, "{template} {user}");
        }
    }
}
