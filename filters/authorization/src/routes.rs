//! What the route of a request says of it, where the signed bundle listens.
//!
//! ```text
//! the bundle's operation ─┬─ says it, and the route says the same, or nothing ──► the operation, as it is
//!                         ├─ says nothing of it, and knows the route's word ────► the operation, with it filled in
//!                         └─ else ──────────────────────────────────────────────► a contradiction: denied
//! ```

use partywall_tenancy::{Attributes, Operation, RouteDataset, RouteWords};

use crate::Found;

/// What stands in a route's metadata, in the namespace `partywall`. Nothing of it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSays {
    /// `action`.
    pub action: Option<String>,
    /// `resource`.
    pub resource: Option<String>,
    /// `dataset`.
    pub dataset: Option<String>,
    /// `classification`.
    pub classification: Option<String>,
    /// `purpose`.
    pub purpose: Option<String>,
    /// `response_guard`.
    pub response_guard: Option<String>,
}

impl RouteSays {
    /// The names of all that a route may say, but for `mode`.
    pub const NAMES: [&str; 6] = ["action", "resource", "dataset", "classification", "purpose", "response_guard"];

    /// What `read` gives for each name.
    pub fn read(mut read: impl FnMut(&'static str) -> Option<String>) -> Self {
        let [action, resource, dataset, classification, purpose, response_guard] = Self::NAMES.map(&mut read);
        Self { action, resource, dataset, classification, purpose, response_guard }
    }

    /// Takes what [`RouteSays::words`] gave; `None` where one of them is none.
    pub fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let mut found = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=').filter(|(name, _)| Self::NAMES.contains(name))?;
            found.push((name, value));
        }
        let value = |name| found.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Some(Self::read(value))
    }

    /// All that it says, as `action=orders:read`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let Self { action, resource, dataset, classification, purpose, response_guard } = self;
        let all = [action, resource, dataset, classification, purpose, response_guard];
        Self::NAMES.into_iter().zip(all).filter_map(|(name, said)| Some(format!("{name}={}", said.as_ref()?)))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the operation that was found touches, with what the route fills in: `None` where that is nothing. The error says
/// in what bundle and route contradict each other.
///
/// INVARIANT: a route never takes away what the bundle asks for. It adds a dataset, a purpose or a higher classification
/// where the bundle says none, and each brings all that the bundle asks for it.
pub(crate) fn agreed(
    words: &RouteWords,
    says: &RouteSays,
    found: &Found<'_, '_>,
) -> Result<Option<Box<Attributes>>, &'static str> {
    let operation = found.operation();
    let Operation { action, resource, attributes, .. } = operation;
    let differs = |said: &Option<String>, is: &str| said.as_deref().is_some_and(|said| said != is);
    if differs(&says.action, action) || differs(&says.resource, resource) {
        return Err("its route says another action or resource than the operation that covers the request");
    }
    if differs(&says.response_guard, if found.guarded().is_some() { "on" } else { "off" }) {
        return Err("its route says of the response guard what the operation does not");
    }
    if says.dataset.is_none() && says.classification.is_none() && says.purpose.is_none() {
        return Ok(None);
    }
    filled(words, says, attributes)
}

fn filled(
    words: &RouteWords,
    says: &RouteSays,
    attributes: &Attributes,
) -> Result<Option<Box<Attributes>>, &'static str> {
    let mut filled = attributes.clone();
    fill(&mut filled.dataset, &says.dataset, "its route says another dataset than the operation")?;
    fill(&mut filled.purpose, &says.purpose, "its route says another purpose than the operation")?;
    let dataset = words.datasets.iter().find(|dataset| dataset.name == filled.dataset);
    if dataset.is_none() && !filled.dataset.is_empty() {
        return Err("its route says a dataset that the bundle does not know");
    }
    let level = |name: &str| words.classifications.iter().position(|(known, _)| known == name);
    let own = level(&attributes.classification).max(dataset.and_then(|dataset| level(&dataset.classification)));
    let said = says.classification.as_deref().map(level);
    let level = match said {
        Some(None) => return Err("its route says a classification that the bundle does not know"),
        Some(said) if said < own => return Err("its route says a lower classification than the bundle"),
        Some(said) => said,
        None => own,
    };
    if let Some((name, cleared)) = level.and_then(|level| words.classifications.get(level)) {
        (filled.classification, filled.cleared) = (name.clone(), cleared.clone());
    }
    if let Some(dataset) = dataset {
        filled.residency = dataset.residency.clone();
        filled.retention.clone_from(&dataset.retention);
        filled.needs_consent = asks_consent(dataset, &filled.purpose)?;
    }
    Ok((filled != *attributes).then(|| Box::new(filled)))
}

fn fill(is: &mut String, said: &Option<String>, otherwise: &'static str) -> Result<(), &'static str> {
    match said {
        Some(said) if is.is_empty() && !said.is_empty() => is.clone_from(said),
        Some(said) if said != is || said.is_empty() => return Err(otherwise),
        _ => {}
    }
    Ok(())
}

/// INVARIANT: a dataset that has purposes is used for one of them, or not at all.
fn asks_consent(dataset: &RouteDataset, purpose: &String) -> Result<bool, &'static str> {
    let free = dataset.purposes.iter().flatten().any(|one| one == purpose);
    let asked = dataset.consent.contains(purpose);
    let has_purposes = dataset.purposes.is_some() || !dataset.consent.is_empty();
    if has_purposes && !free && !asked {
        return Err("nothing says for which of its purposes the dataset is used that its route names");
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, OperationProblem, Operations};
    use partywall_tenancy::{Condition, Owner, Place, Residency, Retention, Service, SpiffeId};

    fn words() -> RouteWords {
        let dataset = |name: &str, classification: &str| RouteDataset {
            name: name.into(),
            classification: classification.into(),
            residency: Residency::Owners,
            retention: Some(Retention { age: 60, header: Some("age".into()) }),
            purposes: None,
            consent: vec![],
        };
        let bound = RouteDataset {
            purposes: Some(vec!["service".into()]),
            consent: vec!["marketing".into()],
            ..dataset("mail", "")
        };
        let level = |name: &str, cleared: Option<&str>| (name.to_owned(), cleared.map(|role| vec![role.to_owned()]));
        RouteWords {
            datasets: vec![bound, dataset("orders", "internal")],
            classifications: vec![
                level("public", None),
                level("internal", Some("clerk")),
                level("secret", Some("boss")),
            ],
        }
    }

    fn said(words: &[&str]) -> RouteSays {
        RouteSays::of_words(words.iter().copied()).unwrap()
    }

    fn tried(own: &Attributes, says: &[&str]) -> Result<Attributes, &'static str> {
        filled(&words(), &said(says), own).map(|filled| filled.map_or_else(|| own.clone(), |filled| *filled))
    }

    fn service(routes: Option<RouteWords>) -> Service {
        let operation = |method: &str, path: &str, action: &str| Operation::new(method, path, action, "R");
        Service {
            routes,
            ..Service::new(
                "reports",
                SpiffeId::parse("spiffe://mesh.example/ns/shop/sa/reports").unwrap(),
                vec![operation("GET", "/known/{x}", "a"), operation("ROUTE", "/b/R", "b")],
            )
        }
    }

    fn named(operations: &Operations, path: &str, says: &[&str]) -> bool {
        let says = said(says);
        let call = Call { route: Some(&says), ..Call::plain("GET", path) };
        operations.find(&call).unwrap().is_some_and(|found| found.is_named_by_route())
    }

    #[test]
    fn a_route_names_what_has_no_path_where_the_bundle_knows_none() {
        let operations = Operations::compile(&service(Some(words()))).unwrap();
        let both = ["action=b", "resource=R"];
        for path in ["/", "/new", "/new/7?x=%37", "/known", "/known/a/b", "/a-b_c.d~e:f@g"] {
            assert!(named(&operations, path, &both), "{path}");
        }
        for path in [
            "/known/a",
            "//new",
            "/new/",
            "/new//7",
            "/new/.",
            "/new/..",
            "/new/%37",
            "/new/%2e%2e",
            "/new;a",
            "/new,a",
            "/new#",
            "/new\\a",
            "/new é",
            "new",
            "",
            "*",
        ] {
            assert!(!named(&operations, path, &both), "{path}");
        }
        for says in [&["action=b"][..], &["resource=R"], &["action=a", "resource=R"], &["action=b", "resource=S"], &[]]
        {
            assert!(!named(&operations, "/new", says), "{says:?}");
        }
        // A path by another method is known, too.
        let says = said(&both);
        let post = Call { route: Some(&says), ..Call::plain("POST", "/known/a") };
        assert!(operations.find(&post).unwrap().is_none());
        let deaf = Operations::compile(&service(None)).unwrap();
        assert!(!named(&deaf, "/new", &both));
    }

    #[test]
    fn what_only_a_path_could_show_is_no_operation_that_routes_name() {
        type Change = fn(&mut Operation);
        let changes: [Change; 5] = [
            |operation| operation.attributes.scope = partywall_tenancy::Scope::Platform,
            |operation| operation.path = "/b/S".into(),
            |operation| operation.anonymous = true,
            |operation| operation.owner = Owner::Shown { places: vec![Place::Query("t".into())], or_none: false },
            |operation| operation.when = vec![Condition { place: Place::Query("a".into()), value: "b".into() }],
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut service = service(Some(words()));
            service.operations.iter_mut().skip(1).for_each(change);
            let error = Operations::compile(&service).unwrap_err();
            assert_eq!((error.position, error.problem), (1, OperationProblem::Named), "{nth}");
        }
    }

    #[test]
    fn what_is_said_comes_back_as_words() {
        let all = ["action=a:b=c", "resource=R", "dataset=d", "classification=c", "purpose=", "response_guard=on"];
        assert_eq!(said(&all).words().collect::<Vec<_>>(), all);
        assert!(RouteSays::default().is_empty() && said(&[]).is_empty() && !said(&all[..1]).is_empty());
        for word in ["mode=shadow", "action", "", "Action=a"] {
            assert_eq!(RouteSays::of_words([word]), None, "{word}");
        }
    }

    #[test]
    fn a_dataset_brings_all_that_it_asks_for() {
        let none = Attributes::default();
        let filled = tried(&none, &["dataset=orders"]).unwrap();
        assert_eq!((&*filled.dataset, &*filled.classification), ("orders", "internal"));
        assert_eq!((&filled.residency, &filled.cleared), (&Residency::Owners, &Some(vec!["clerk".to_owned()])));
        assert!(filled.retention.is_some() && !filled.needs_consent);
        let higher = Attributes { classification: "secret".into(), cleared: Some(vec!["boss".into()]), ..none.clone() };
        assert_eq!(tried(&higher, &["dataset=orders"]).unwrap().cleared, higher.cleared);
        assert!(tried(&none, &["dataset=orders", "classification=public"]).is_err());
        assert_eq!(tried(&none, &["dataset=orders", "classification=secret"]).unwrap().classification, "secret");
        assert!(tried(&none, &["dataset=others"]).is_err() && tried(&none, &["dataset="]).is_err());
        let own = Attributes { dataset: "mail".into(), purpose: "service".into(), ..none };
        assert!(tried(&own, &["dataset=orders"]).is_err());
        assert!(tried(&own, &["dataset=mail"]).is_ok());
    }

    #[test]
    fn a_classification_is_only_raised() {
        let own = Attributes {
            classification: "internal".into(),
            cleared: Some(vec!["clerk".into()]),
            ..Attributes::default()
        };
        assert!(tried(&own, &["classification=public"]).is_err());
        assert_eq!(tried(&own, &["classification=internal"]), Ok(own.clone()));
        assert_eq!(tried(&own, &["classification=secret"]).unwrap().cleared, Some(vec!["boss".to_owned()]));
        assert!(tried(&own, &["classification=Secret"]).is_err() && tried(&own, &["classification="]).is_err());
    }

    #[test]
    fn a_purpose_is_one_of_the_datasets() {
        let none = Attributes::default();
        assert!(tried(&none, &["dataset=mail"]).is_err());
        assert!(!tried(&none, &["dataset=mail", "purpose=service"]).unwrap().needs_consent);
        assert!(tried(&none, &["dataset=mail", "purpose=marketing"]).unwrap().needs_consent);
        assert!(tried(&none, &["dataset=mail", "purpose=sale"]).is_err());
        assert_eq!(tried(&none, &["purpose=sale"]).unwrap().purpose, "sale");
        let own = Attributes { purpose: "service".into(), ..none };
        assert!(tried(&own, &["purpose=marketing"]).is_err() && tried(&own, &["purpose="]).is_err());
        assert!(tried(&own, &["dataset=mail"]).is_ok());
    }
}
