//! What is in shadow, in words.

use partywall_tenancy::{Mode, Modes};

/// The words for modes in a directory.
pub(crate) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];

/// More names of one kind are counted, not listed.
const NAMES: usize = 20;

/// What is in shadow, and what is kept out of it; nothing where all is enforced.
pub(crate) fn in_shadow(modes: &Modes) -> Vec<String> {
    if modes.bundle == Some(Mode::Enforce) {
        return Vec::new();
    }
    let services = |wanted| of(&modes.services, wanted).map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let tenants = |wanted| of(&modes.tenants, wanted).map(|(id, _)| id.to_string()).collect::<Vec<_>>();
    let enforced = services(Mode::Enforce);
    let routes = modes.routes.iter().filter(|name| !enforced.contains(name)).cloned().collect();
    let mut words = Vec::new();
    if modes.bundle == Some(Mode::Shadow) {
        words.push("everything in the bundle".to_owned());
    }
    words.extend(named("service", services(Mode::Shadow)));
    words.extend(named("tenant", tenants(Mode::Shadow)));
    words.extend(named("routes that ask for it, of service", routes));
    if !words.is_empty() {
        words.extend(named("but not service", enforced));
        words.extend(named("but not tenant", tenants(Mode::Enforce)));
    }
    words
}

fn of<T>(list: &[(T, Mode)], wanted: Mode) -> impl Iterator<Item = &(T, Mode)> {
    list.iter().filter(move |(_, mode)| *mode == wanted)
}

fn named(what: &str, names: Vec<String>) -> Option<String> {
    let more = match names.len().checked_sub(NAMES) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let told: Vec<String> = names.into_iter().take(NAMES).collect();
    (!told.is_empty()).then(|| format!("{what} {}{more}", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use partywall_tenancy::TenantId;

    use super::*;

    #[test]
    fn what_is_in_shadow_is_told_and_what_is_not_is_not() {
        assert!(in_shadow(&Modes::default()).is_empty());
        let tenants = (0..22).map(|n| (TenantId::parse(&format!("t{n:02}")).unwrap(), Mode::Shadow)).collect();
        let services = vec![("invoices".to_owned(), Mode::Enforce), ("orders".to_owned(), Mode::Shadow)];
        let routes = vec!["invoices".to_owned(), "ledger".to_owned()];
        let modes = Modes { bundle: None, services, routes, tenants };
        let words = in_shadow(&modes);
        assert_eq!(words[0], "service orders");
        assert!(words[1].starts_with("tenant t00, ") && words[1].ends_with("t19 and 2 more"), "{words:?}");
        assert_eq!(words[2], "routes that ask for it, of service ledger");
        assert_eq!(words[3], "but not service invoices");
        assert!(in_shadow(&Modes { bundle: Some(Mode::Enforce), ..modes.clone() }).is_empty());
        assert_eq!(in_shadow(&Modes { bundle: Some(Mode::Shadow), ..modes })[0], "everything in the bundle");
    }
}
