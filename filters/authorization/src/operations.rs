//! From a request to the operation of a service, and to the owner that it shows.

mod alternatives;
mod body;
mod elsewhere;
mod found;
mod places;
mod problem;
mod route;
mod template;
mod trie;

use std::collections::BTreeMap;

use partywall_tenancy::{Operation, Reason, Service, TenantId};

use crate::{Call, ROUTE};
pub use found::Found;
pub use problem::{OperationError, OperationProblem};

use alternatives::{Alternatives, Clash};
use elsewhere::Elsewhere;
use route::Route;
use trie::Trie;

/// The most operations of one service.
const MAX_OPERATIONS: usize = 4096;
/// The operations of one service, ready to be searched.
///
/// A literal segment goes before a parameter, judged from the left: of `/invoices/latest` and
/// `/invoices/{id}` the first one gets the path `/invoices/latest`. Of operations whose templates differ in nothing but
/// the names of their parameters, the one with the most conditions that hold is taken; two that one request could fit,
/// and of which neither is the more specific one, are an error. What a search costs depends on the request, not on how
/// many operations there are.
#[derive(Clone, Debug)]
pub struct Operations {
    routes: Vec<Route>,
    /// The templates of each method, in the methods' order, and which of `leaves` each one is.
    methods: Vec<(Box<str>, Trie)>,
    /// The operations of one method and template, by their position in `routes`.
    leaves: Vec<Alternatives>,
    elsewhere: Elsewhere,
    /// Those that a route may name, by their position in `routes`; none where nobody listens to routes.
    named: Vec<usize>,
}

/// Why the request for an operation is denied before any policy is asked.
pub(crate) type Denial = (Reason, &'static str);

impl Operations {
    /// Checks the operations of `service` and makes the tree that is searched.
    pub fn compile(service: &Service) -> Result<Self, OperationError> {
        if service.operations.len() > MAX_OPERATIONS {
            return Err(OperationError { position: MAX_OPERATIONS, problem: OperationProblem::TooMany });
        }
        let mut routes: Vec<Route> = Vec::with_capacity(service.operations.len());
        let mut methods: BTreeMap<&str, Trie> = BTreeMap::new();
        let mut leaves: Vec<Alternatives> = Vec::new();
        for (position, operation) in service.operations.iter().enumerate() {
            let error = |problem| OperationError { position, problem };
            let (route, template) = Route::new(operation).map_err(error)?;
            let trie = methods.entry(&operation.method).or_insert_with(Trie::new);
            let leaf = trie.insert(template.segments(), leaves.len());
            if leaf == leaves.len() {
                leaves.push(Alternatives::default());
            }
            let inserted = leaves.get_mut(leaf).map_or(Ok(()), |leaf| leaf.insert(position, &operation.when));
            if let Err(clash) = inserted {
                return Err(error(clash_of(clash, &routes)));
            }
            routes.push(route);
        }
        if let Some((method, _)) = methods.iter().find(|(_, trie)| trie.most_steps() > trie::MAX_STEPS) {
            let position = service.operations.iter().rposition(|o| o.method == *method).unwrap_or_default();
            return Err(OperationError { position, problem: OperationProblem::Alike });
        }
        let methods = methods.into_iter().map(|(method, trie)| (method.into(), trie)).collect();
        let elsewhere = Elsewhere::of(&routes);
        let listens = service.routes.is_some();
        let named = routes.iter().enumerate().filter(|(_, route)| listens && route.operation.method == ROUTE);
        let named = named.map(|(position, _)| position).collect();
        Ok(Self { routes, methods, leaves, elsewhere, named })
    }

    /// The operation that covers a request. `Ok(None)` also for a path that could be read in two ways: nothing is
    /// repaired here. The error says what else of the request, that an operation asks for, could be.
    ///
    /// Where none covers it, the request's route may name one that has no method and path of its own.
    pub fn find<'p>(&self, call: &Call<'p>) -> Result<Option<Found<'_, 'p>>, &'static str> {
        let Some(path) = bare(call.path) else { return Ok(None) };
        let covering = self.covering(path, call)?;
        let Some(position) = covering.or_else(|| self.named_by_route(path, call)) else { return Ok(None) };
        let Some(route) = self.routes.get(position) else { return Ok(None) };
        Ok(Some(Found { route, position, path, call: *call }))
    }

    fn covering(&self, path: &str, call: &Call<'_>) -> Result<Option<usize>, &'static str> {
        let at = self.methods.binary_search_by(|(known, _)| (**known).cmp(call.method));
        let Some((_, trie)) = at.ok().and_then(|at| self.methods.get(at)) else { return Ok(None) };
        let mut picked = Ok(None);
        trie.find(path, &mut |leaf| {
            picked = self.leaves.get(leaf).map_or(Ok(None), |leaf| leaf.pick(call));
            !matches!(picked, Ok(None))
        });
        picked
    }

    /// INVARIANT: a route adds nothing to a path that the bundle knows, with whatever method and conditions, nor to one
    /// that a service could take for such a path.
    fn named_by_route(&self, path: &str, call: &Call<'_>) -> Option<usize> {
        let says = call.route.filter(|_| !self.named.is_empty())?;
        let (action, resource) = (says.action.as_deref()?, says.resource.as_deref()?);
        if !is_plain(path) || self.knows(path) {
            return None;
        }
        self.named.iter().copied().find(|at| {
            let operation = self.routes.get(*at).map(|route| &route.operation);
            operation.is_some_and(|operation| operation.action == action && operation.resource == resource)
        })
    }

    /// Whether some operation has this path, with any method, query and headers.
    fn knows(&self, path: &str) -> bool {
        self.methods.iter().filter(|(method, _)| **method != *ROUTE).any(|(_, trie)| {
            let mut known = false;
            trie.find(path, &mut |_| {
                known = true;
                true
            });
            known
        })
    }

    /// Whether `path`, with any method and query, is one of another tenant than `tenant`, or begins as one that names
    /// another.
    pub fn leads_elsewhere(&self, path: &str, tenant: &TenantId) -> bool {
        let call = Call::plain("", path);
        let path = path.strip_prefix('/').unwrap_or(path);
        let bare = path.split(['?', '#']).next().unwrap_or_default();
        if self.elsewhere.leads(bare, tenant) {
            return true;
        }
        self.methods.iter().any(|(_, trie)| {
            let mut elsewhere = false;
            trie.find(bare, &mut |leaf| {
                let mut routes = self.leaves.get(leaf).into_iter().flat_map(Alternatives::routes);
                elsewhere = routes.any(|at| {
                    self.routes.get(at).is_some_and(|route| route.shows_another(bare, &call, tenant.as_str()))
                });
                elsewhere || self.leaves.get(leaf).is_some_and(Alternatives::covers_all)
            });
            elsewhere
        })
    }
}

/// A path without its leading slash and its query. `None` where it could be read in two ways.
fn bare(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/')?;
    let end = path.bytes().position(|b| b == b'?').unwrap_or(path.len());
    let path = path.get(..end)?;
    let doubtful = path.bytes().any(|b| matches!(b, b'\\' | b'#') || !b.is_ascii_graphic());
    (!doubtful).then_some(path)
}

/// Whether nobody could read this path, which has lost its leading slash, in another way: no empty segment, no dot
/// segment, nothing encoded, no parameters within a segment.
fn is_plain(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b':' | b'@');
    let mut segments = template::split(path);
    path.is_empty() || segments.all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain))
}

fn clash_of(clash: Clash, routes: &[Route]) -> OperationProblem {
    let name = |at: usize| {
        routes.get(at).map_or_else(String::new, |route| {
            let Operation { method, path, when, .. } = &route.operation;
            let when: String = when.iter().map(|condition| format!(" {condition}")).collect();
            format!("{method} {path}{when}")
        })
    };
    match clash {
        Clash::TooMany => OperationProblem::TooManyAlternatives,
        Clash::Same(other) => OperationProblem::Conflict(name(other)),
        Clash::Across(other) => OperationProblem::Across(name(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_tenancy::{Owner, SpiffeId};

    fn service(operations: &[&str]) -> Service {
        let operation = |http: &&str| {
            let (method, path) = http.split_once(' ').unwrap_or(("", http));
            Operation {
                id: path.contains("{id}").then(|| "id".into()),
                owner: if path.contains("{tenant}") { Owner::path("tenant") } else { Owner::Unseen },
                ..Operation::new(method, path, http, "Thing")
            }
        };
        Service::new(
            "things",
            SpiffeId::parse("spiffe://mesh.example/things").unwrap(),
            operations.iter().map(operation).collect(),
        )
    }

    fn compiled(operations: &[&str]) -> Operations {
        Operations::compile(&service(operations)).unwrap()
    }

    fn found<'o>(operations: &'o Operations, method: &str, path: &str) -> Option<&'o str> {
        operations.find(&Call::plain(method, path)).unwrap().map(|f| f.operation().path.as_str())
    }

    #[test]
    fn finds_by_method_and_path_without_the_query() {
        let operations = compiled(&["GET /things/{id}", "DELETE /things/{id}", "GET /things", "GET /"]);
        assert_eq!(found(&operations, "GET", "/things/7"), Some("/things/{id}"));
        assert_eq!(found(&operations, "GET", "/things/7?tenant=globex"), Some("/things/{id}"));
        assert_eq!(found(&operations, "GET", "/things?/7"), Some("/things"));
        assert_eq!(found(&operations, "GET", "/"), Some("/"));
        assert_eq!(operations.find(&Call::plain("DELETE", "/things/7")).unwrap().unwrap().position(), 1);
        for (method, path) in [
            ("POST", "/things/7"),
            ("get", "/things/7"),
            ("GET", "/things/7/parts"),
            ("GET", "/thing/7"),
            ("GET", "/Things/7"),
            ("GET", "things/7"),
            ("GET", ""),
            ("OPTIONS", "*"),
        ] {
            assert_eq!(found(&operations, method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_found() {
        let operations = compiled(&["GET /things/{id}", "GET /{kind}/{id}"]);
        for path in [
            "/things/",
            "//things/7",
            "/things//7",
            "/things/..",
            "/things/.",
            "/things/7#",
            "/things/\\7",
            "/things/7 ",
            "/things/7\0",
            "/things/é",
            "http://things/7",
        ] {
            assert_eq!(found(&operations, "GET", path), None, "{path}");
        }
        let literal = compiled(&["GET /things"]);
        assert_eq!(found(&literal, "GET", "/%74hings"), None);
    }

    #[test]
    fn literals_go_before_parameters_from_the_left() {
        let operations = compiled(&["GET /{b}/x", "GET /{a}/{c}", "GET /a/{c}", "GET /{a}/x/{d}", "GET /a/{b}/y"]);
        assert_eq!(found(&operations, "GET", "/z/x"), Some("/{b}/x"));
        assert_eq!(found(&operations, "GET", "/z/y"), Some("/{a}/{c}"));
        assert_eq!(found(&operations, "GET", "/a/x"), Some("/a/{c}"));
        assert_eq!(found(&operations, "GET", "/a/x/z"), Some("/{a}/x/{d}"));
        assert_eq!(found(&operations, "GET", "/a/x/y"), Some("/a/{b}/y"));
    }

    #[test]
    fn what_is_found_is_the_first_of_all_that_fit_by_precedence() {
        // Every template of up to three segments of `a`, `b` and a parameter, half of them taken by turns.
        let mut all = vec![String::new()];
        for depth in 0..3 {
            let longest: Vec<_> = all.iter().filter(|t| t.matches('/').count() == depth).cloned().collect();
            all.extend(
                longest.iter().flat_map(|t| {
                    ["/a".to_owned(), "/b".to_owned(), format!("/{{p{depth}}}")].map(|s| format!("{t}{s}"))
                }),
            );
        }
        for seed in 0..64_usize {
            let taken = all.iter().skip(1).enumerate().filter(|(n, _)| (n * 7 + seed * (n + 3)) % 5 < 2);
            let taken: Vec<String> = taken.map(|(_, t)| format!("GET {t}")).collect();
            let operations = compiled(&taken.iter().map(String::as_str).collect::<Vec<_>>());
            for path in ["/a", "/b", "/c", "/a/b", "/c/a", "/a/c", "/a/a/a", "/b/c/a", "/c/b/c", "/c/c/c", "/a/b/c/a"] {
                let path_segments: Vec<_> = path.split('/').collect();
                let fits = |t: &&str| {
                    let segments: Vec<_> = t.split('/').collect();
                    let same = |(s, p): (&&str, &&str)| s.starts_with('{') || s == p;
                    segments.len() == path_segments.len() && segments.iter().zip(&path_segments).all(same)
                };
                // `{` lies behind all letters.
                let expected = taken.iter().filter_map(|t| t.strip_prefix("GET ")).filter(fits).min();
                assert_eq!(found(&operations, "GET", path), expected, "{path} of {taken:?}");
            }
        }
    }

    #[test]
    fn parameters_are_borrowed_as_they_came() {
        let operations = compiled(&["GET /tenants/{tenant}/things/{id}"]);
        let found = operations.find(&Call::plain("GET", "/tenants/acme/things/%2541?x")).unwrap().unwrap();
        assert_eq!((found.owner(), found.id()), (Ok(Some("acme")), Some("%2541")));
        assert_eq!((found.parameter("tenant"), found.parameter("nothing")), (Some("acme"), None));
    }

    #[test]
    fn paths_that_begin_with_another_tenant_lead_elsewhere() {
        let operations =
            compiled(&["GET /tenants/{tenant}/things", "POST /tenants/new", "GET /{kind}/of/{tenant}", "GET /x"]);
        let acme = TenantId::parse("acme").unwrap();
        for (path, elsewhere) in [
            ("/tenants/globex/things", true),
            ("/tenants/globex", true),
            ("/tenants/globex/", true),
            ("/tenants/globex/other/7", true),
            ("/tenants/acme/things", false),
            ("/tenants/acme-2/things", true),
            ("/tenants/new", false),
            ("/tenants/news", true),
            ("/tenants/", false),
            ("/tenants", false),
            ("/x/of/globex", true),
            ("/x/of/acme/y", false),
            ("/", false),
            ("", false),
        ] {
            assert_eq!(operations.leads_elsewhere(path, &acme), elsewhere, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        use OperationProblem::*;
        let two_ids = service(&["GET /{x}/{id}", "GET /a/b", "GET /{id}/{y}"]);
        let error = Operations::compile(&two_ids).unwrap_err();
        assert_eq!(error, OperationError { position: 2, problem: Conflict("GET /{x}/{id}".into()) });
        for (http, problem) in [
            ("/things", Method("".into())),
            ("get /things", Method("get".into())),
            ("GET things", NoSlash),
            ("GET /things/", Segment("".into())),
            ("GET //things", Segment("".into())),
            ("GET /a/../b", Segment("..".into())),
            ("GET /a?b", Segment("a?b".into())),
            ("GET /a%20b", Segment("a%20b".into())),
            ("GET /a b", Segment("a b".into())),
            ("GET /{id}.json", Braces("{id}.json".into())),
            ("GET /{}", Braces("{}".into())),
            ("GET /{id", Braces("{id".into())),
            ("GET /{id}/{id}", ParameterTwice("id".into())),
        ] {
            let error = Operations::compile(&service(&["GET /fine", http])).unwrap_err();
            assert_eq!(error, OperationError { position: 1, problem }, "{http}");
        }
        let mut missing = service(&["GET /things/{thing}"]);
        missing.operations[0].id = Some("id".into());
        assert_eq!(Operations::compile(&missing).unwrap_err().problem, NoParameter("id".into()));
        missing.operations[0].id = None;
        missing.operations[0].owner = Owner::path("tenant");
        assert_eq!(Operations::compile(&missing).unwrap_err().problem, NoParameter("tenant".into()));
    }

    #[test]
    fn paths_by_which_a_peer_could_keep_it_busy_are_refused() {
        let either = |depth: u32| -> Vec<String> {
            let segment = |n: u32, bit| if n >> bit & 1 == 1 { "/a".to_owned() } else { format!("/{{p{bit}}}") };
            (0..1 << depth)
                .map(|n| format!("GET {}/z", (0..depth).map(|bit| segment(n, bit)).collect::<String>()))
                .collect()
        };
        let service = |depth| service(&either(depth).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(Operations::compile(&service(6)).is_ok());
        let error = Operations::compile(&service(8)).unwrap_err();
        assert_eq!(error, OperationError { position: 255, problem: OperationProblem::Alike });
    }

    #[test]
    fn everything_is_bounded() {
        let long = format!("GET {}", "/a".repeat(template::MAX_SEGMENTS + 1));
        assert!(Operations::compile(&service(&[&long])).is_err());
        let many: Vec<_> = (0..=MAX_OPERATIONS).map(|n| format!("GET /{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(Operations::compile(&service(&many)).unwrap_err().problem, OperationProblem::TooMany);
    }
}
