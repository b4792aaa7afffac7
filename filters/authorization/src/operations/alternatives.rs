//! Operations of one method and one path template, told apart by what stands in query and headers.

use partywall_tenancy::{Condition, Place};

use super::OperationProblem;
use super::places::{self, Unclear};
use crate::Call;

/// The most conditions of one operation.
const MAX_CONDITIONS: usize = 4;
/// The most operations of one method and one path template.
const MAX_ALTERNATIVES: usize = 32;
/// The most places that these ask about.
const MAX_PLACES: usize = 8;

/// What may stand behind a tenant's id in the id of a resource.
const SEPARATORS: &[char] = &[':', '_', '.', '~', '|', '@'];

/// The operations that one path leads to.
// INVARIANT: of two that can cover one request, one has all the conditions of the other and more, and stands before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Alternatives {
    /// What is asked about, each once.
    places: Vec<Place>,
    all: Vec<Alternative>,
}

#[derive(Clone, Debug)]
struct Alternative {
    route: usize,
    /// What must stand where, by the number of the place.
    conditions: Vec<(usize, Box<str>)>,
}

/// How two operations with the same path stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// No request fits both.
    Apart,
    /// What fits one of them fits the other.
    Within,
    /// They cover the same requests.
    Same,
    /// Some requests fit both, and neither is the more specific one.
    Across,
}

impl Alternatives {
    /// Adds a route. `Err` with the route that it cannot be told apart from, and how these two stand to each other.
    pub(super) fn insert(&mut self, route: usize, when: &[Condition]) -> Result<(), Clash> {
        let mut conditions = Vec::with_capacity(when.len());
        for Condition { place, value } in when {
            let at = self.places.iter().position(|known| known == place).unwrap_or(self.places.len());
            if at == self.places.len() {
                self.places.push(place.clone());
            }
            conditions.push((at, value.as_str().into()));
        }
        if self.places.len() > MAX_PLACES || self.all.len() >= MAX_ALTERNATIVES {
            return Err(Clash::TooMany);
        }
        let fresh = Alternative { route, conditions };
        for other in &self.all {
            match fresh.relation(other) {
                Relation::Apart | Relation::Within => {}
                Relation::Same => return Err(Clash::Same(other.route)),
                Relation::Across => return Err(Clash::Across(other.route)),
            }
        }
        let at = self.all.partition_point(|other| other.conditions.len() >= fresh.conditions.len());
        self.all.insert(at, fresh);
        Ok(())
    }

    /// The route that covers the request. `Err` where its query or headers could be read in two ways.
    pub(super) fn pick(&self, call: &Call<'_>) -> Result<Option<usize>, Unclear> {
        let mut values = [None; MAX_PLACES];
        for (place, value) in self.places.iter().zip(&mut values) {
            *value = match place {
                Place::Query(name) => places::query(call.path, name)?,
                Place::Header(name) => places::header(call.headers, name)?,
                Place::Path(_) | Place::IdPrefix(_) | Place::Body(_) => None,
            };
        }
        let value = |at: &usize| values.get(*at).copied().flatten();
        // Of all of them, also those that are less specific: a value is written in one way or it is none of these.
        for (at, wanted) in self.all.iter().flat_map(|one| &one.conditions) {
            if value(at).is_some_and(|value| value != &**wanted && is_taken_for(value, wanted)) {
                return Err("a value that an operation asks for is written in another way");
            }
        }
        let fits = |one: &&Alternative| one.conditions.iter().all(|(at, wanted)| value(at) == Some(&**wanted));
        Ok(self.all.iter().find(fits).map(|one| one.route))
    }

    /// All routes.
    pub(super) fn routes(&self) -> impl Iterator<Item = usize> + '_ {
        self.all.iter().map(|one| one.route)
    }

    /// Whether one of them is picked whatever stands in query and headers.
    pub(super) fn covers_all(&self) -> bool {
        self.all.last().is_some_and(|least| least.conditions.is_empty())
    }
}

/// Why an operation cannot stand beside the others.
pub(super) enum Clash {
    TooMany,
    /// It covers the same requests as this one.
    Same(usize),
    /// A request may fit both, and neither is the more specific one.
    Across(usize),
}

impl Alternative {
    fn relation(&self, other: &Self) -> Relation {
        let has = |one: &Self, (at, value): &(usize, Box<str>)| {
            one.conditions.iter().any(|(place, asked)| place == at && asked == value)
        };
        let apart = self.conditions.iter().any(|(at, value)| {
            other.conditions.iter().any(|(place, asked)| place == at && !asked.eq_ignore_ascii_case(value))
        });
        let within = self.conditions.iter().all(|one| has(other, one));
        let around = other.conditions.iter().all(|one| has(self, one));
        match (apart, within, around) {
            (true, ..) => Relation::Apart,
            (_, true, true) => Relation::Same,
            (_, true, false) | (_, false, true) => Relation::Within,
            (_, false, false) => Relation::Across,
        }
    }
}

/// Whether some service takes `value` for `wanted`: percent-encoded, in another case, or with blanks around it.
fn is_taken_for(value: &str, wanted: &str) -> bool {
    let mut read = places::decoded(value).skip_while(|b| *b <= b' ').map(|b| b.to_ascii_lowercase());
    wanted.bytes().all(|b| read.next() == Some(b.to_ascii_lowercase())) && read.all(|b| b <= b' ')
}

/// What is wrong with the conditions of one operation, if anything.
pub(super) fn check(when: &[Condition]) -> Result<(), OperationProblem> {
    if when.len() > MAX_CONDITIONS {
        return Err(OperationProblem::Conditions(MAX_CONDITIONS));
    }
    for (at, Condition { place, value }) in when.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        let valid = match place {
            Place::Query(name) | Place::Header(name) => check_place(place).is_ok() && !name.is_empty(),
            Place::Path(_) | Place::IdPrefix(_) | Place::Body(_) => false,
        };
        let twice = when.iter().take(at).any(|other| other.place == *place);
        if !valid || twice || value.is_empty() || value.len() > 64 || !value.bytes().all(plain) {
            return Err(OperationProblem::Condition(place.to_string(), value.clone()));
        }
    }
    Ok(())
}

/// Whether a name can stand for a place of a request.
pub(super) fn check_place(place: &Place) -> Result<(), OperationProblem> {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let fits = match place {
        Place::Path(_) | Place::Body(_) => true,
        Place::Query(name) => !name.is_empty() && name.len() <= 64 && name.bytes().all(word),
        Place::Header(name) => {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) && !name.starts_with("x-partywall-")
        }
        // Whatever a tenant's id may hold would end one id where another one goes on.
        Place::IdPrefix(separator) => SEPARATORS.contains(separator),
    };
    if fits { Ok(()) } else { Err(OperationProblem::Place(place.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(text: &str) -> Vec<Condition> {
        let one = |word: &str| {
            let (place, value) = word.split_once('=').unwrap();
            let place = match place.split_once('.').unwrap() {
                ("query", name) => Place::Query(name.into()),
                (_, name) => Place::Header(name.into()),
            };
            Condition { place, value: value.into() }
        };
        text.split_whitespace().map(one).collect()
    }

    fn of(all: &[&str]) -> Result<Alternatives, (usize, bool)> {
        let mut alternatives = Alternatives::default();
        for (route, when) in all.iter().enumerate() {
            alternatives.insert(route, &conditions(when)).map_err(|clash| match clash {
                Clash::Same(other) => (other, true),
                Clash::Across(other) => (other, false),
                Clash::TooMany => (usize::MAX, true),
            })?;
        }
        Ok(alternatives)
    }

    fn picked(all: &Alternatives, query: &str, headers: &[(&str, &str)]) -> Result<Option<usize>, ()> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect();
        let path = format!("/a?{query}");
        all.pick(&Call { headers: &headers, ..Call::plain("GET", &path) }).map_err(|_| ())
    }

    #[test]
    fn the_most_specific_one_is_picked_in_whatever_order_they_stand() {
        let when = ["", "query.view=full", "query.view=full header.x-mode=admin", "query.view=short"];
        for turn in 0..when.len() {
            let order: Vec<usize> = (0..when.len()).map(|n| (n + turn) % when.len()).collect();
            let all = of(&order.iter().map(|n| when[*n]).collect::<Vec<_>>()).ok().unwrap();
            let picked =
                |query: &str, headers: &[(&str, &str)]| picked(&all, query, headers).map(|p| p.map(|at| order[at]));
            assert_eq!(picked("", &[]), Ok(Some(0)));
            assert_eq!(picked("view=other", &[]), Ok(Some(0)));
            assert_eq!(picked("view=full", &[]), Ok(Some(1)));
            assert_eq!(picked("a=b&view=full", &[("x-mode", "admin")]), Ok(Some(2)));
            assert_eq!(picked("view=short", &[("x-mode", "admin")]), Ok(Some(3)));
            for (query, headers) in [
                ("view=%66ull", &[][..]),
                ("view=FULL", &[]),
                ("view=+full", &[]),
                ("view=full%20", &[]),
                ("vie%77=full", &[]),
                ("view=short&view=full", &[]),
                ("view[]=full", &[]),
                ("", &[("x-mode", "Admin")]),
                ("", &[("x_mode", "admin")]),
                ("", &[("x-mode", "user"), ("x-mode", "admin")]),
            ] {
                assert_eq!(picked(query, headers), Err(()), "{query} {headers:?}");
            }
        }
    }

    #[test]
    fn what_no_condition_fits_is_not_covered() {
        let all = of(&["query.view=full"]).ok().unwrap();
        assert_eq!((picked(&all, "view=full", &[]), picked(&all, "view=short", &[])), (Ok(Some(0)), Ok(None)));
    }

    #[test]
    fn two_that_may_fit_one_request_are_refused_unless_one_is_within_the_other() {
        for (all, clash) in [
            (&["", ""][..], (0, true)),
            (&["query.a=1", "query.a=1"], (0, true)),
            (&["query.a=1 header.b=2", "header.b=2 query.a=1"], (0, true)),
            (&["query.a=1", "query.b=1"], (0, false)),
            (&["query.a=1", "header.a=1"], (0, false)),
            (&["query.a=x", "query.a=X"], (0, false)),
            (&["", "query.a=1", "query.a=2", "query.a=1 query.b=1", "query.a=1 query.c=1"], (3, false)),
        ] {
            assert_eq!(of(all).map(|_| ()), Err(clash), "{all:?}");
        }
        assert!(of(&["query.a=1 query.b=1", "query.a=2", "query.a=2 query.b=2", ""]).is_ok());
    }

    #[test]
    fn everything_is_bounded() {
        let many: Vec<String> = (0..=MAX_ALTERNATIVES).map(|n| format!("query.a={n}")).collect();
        assert!(of(&many.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
        assert!(of(&many.iter().skip(1).map(String::as_str).collect::<Vec<_>>()).is_ok());
        let wide: Vec<String> = (0..=MAX_PLACES).map(|n| format!("query.p{n}=1 query.a={n}")).collect();
        assert!(of(&wide.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn what_has_no_normal_form_is_no_condition() {
        for (when, good) in [
            ("query.a=1 query.b=2 query.c=3 header.d=4", true),
            ("query.a=1 query.b=2 query.c=3 header.d=4 header.e=5", false),
            ("query.a=1 query.a=2", false),
            ("query.a=", false),
            ("query.a=x%20y", false),
            ("query.a=x,y", false),
            ("query.=x", false),
            ("query.a[b]=x", false),
            ("header.X-Mode=x", false),
            ("header.x-partywall-tenant=x", false),
        ] {
            assert_eq!(check(&conditions(when)).is_ok(), good, "{when}");
        }
        let path = Condition { place: Place::Path("a".into()), value: "b".into() };
        assert!(check(&[path]).is_err());
    }
}
