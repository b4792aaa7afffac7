//! From method and path to the operation of a service.

mod elsewhere;
mod template;
mod trie;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use partywall_tenancy::{Operation, Owner, Service, TenantId};

use crate::guard::{Guarded, RuleError};
use elsewhere::Elsewhere;
use template::Template;
use trie::Trie;

/// The most operations of one service.
const MAX_OPERATIONS: usize = 4096;

/// The operations of one service, ready to be searched.
///
/// A literal segment goes before a parameter, judged from the left: of `/invoices/latest` and
/// `/invoices/{id}` the first one gets the path `/invoices/latest`. Two templates that differ in
/// nothing but the names of their parameters are an error. What a search costs depends on the path, not on how many
/// operations there are.
#[derive(Clone, Debug)]
pub struct Operations {
    routes: Vec<Route>,
    /// The templates of each method, in the methods' order, and which of `routes` each one is.
    methods: Vec<(Box<str>, Trie)>,
    elsewhere: Elsewhere,
}

#[derive(Clone, Debug)]
struct Route {
    operation: Operation,
    /// Segment that is the resource's id.
    id: Option<usize>,
    /// Segment that names the resource's owner.
    owner: Option<usize>,
    /// How what it answers is judged.
    guarded: Option<Arc<Guarded>>,
}

impl Operations {
    /// Checks the operations of `service` and makes the tree that is searched.
    pub fn compile(service: &Service) -> Result<Self, OperationError> {
        if service.operations.len() > MAX_OPERATIONS {
            return Err(OperationError { position: MAX_OPERATIONS, problem: OperationProblem::TooMany });
        }
        let mut routes: Vec<Route> = Vec::with_capacity(service.operations.len());
        let mut methods: BTreeMap<&str, Trie> = BTreeMap::new();
        for (position, operation) in service.operations.iter().enumerate() {
            let error = |problem| OperationError { position, problem };
            let (route, template) = Route::new(operation).map_err(error)?;
            let trie = methods.entry(&operation.method).or_insert_with(Trie::new);
            if let Err(other) = trie.insert(template.segments(), position) {
                let other = routes.get(other).map_or(operation, |other| &other.operation);
                return Err(error(OperationProblem::Conflict(format!("{} {}", other.method, other.path))));
            }
            routes.push(route);
        }
        if let Some((method, _)) = methods.iter().find(|(_, trie)| trie.most_steps() > trie::MAX_STEPS) {
            let position = service.operations.iter().rposition(|o| o.method == *method).unwrap_or_default();
            return Err(OperationError { position, problem: OperationProblem::Alike });
        }
        let methods = methods.into_iter().map(|(method, trie)| (method.into(), trie)).collect();
        let elsewhere = Elsewhere::of(&routes);
        Ok(Self { routes, methods, elsewhere })
    }

    /// The operation that covers `method` and `path`; a query in `path` is ignored. `None` also for
    /// a path that could be read in two ways: nothing is repaired here.
    pub fn find<'p>(&self, method: &str, path: &'p str) -> Option<Found<'_, 'p>> {
        let path = path.strip_prefix('/')?;
        let end = path.bytes().position(|b| b == b'?').unwrap_or(path.len());
        let path = path.get(..end)?;
        if path.bytes().any(|b| matches!(b, b'\\' | b'#') || !b.is_ascii_graphic()) {
            return None;
        }
        let at = self.methods.binary_search_by(|(known, _)| (**known).cmp(method)).ok()?;
        let (_, trie) = self.methods.get(at)?;
        let position = trie.find(path)?;
        Some(Found { route: self.routes.get(position)?, position, path })
    }
}

impl Operations {
    /// Whether `path` begins as one of this service's that names another tenant than `tenant`.
    pub fn leads_elsewhere(&self, path: &str, tenant: &TenantId) -> bool {
        self.elsewhere.leads(path, tenant)
    }
}

impl Route {
    fn new(operation: &Operation) -> Result<(Self, Template), OperationProblem> {
        if operation.method.is_empty() || !operation.method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            return Err(OperationProblem::Method(operation.method.clone()));
        }
        let template = Template::parse(&operation.path)?;
        let index = |name: &String| {
            template::parameter(&operation.path, name).ok_or_else(|| OperationProblem::NoParameter(name.clone()))
        };
        let id = operation.id.as_ref().map(index).transpose()?;
        let owner = match &operation.owner {
            Owner::Path(name) => Some(index(name)?),
            Owner::Unseen => None,
        };
        let guarded = operation.response.as_ref().map(|response| {
            let guarded = Guarded::compile(response)?;
            guarded.goes_with(&operation.method).map(|()| guarded)
        });
        let guarded = guarded.transpose().map_err(OperationProblem::Response)?;
        Ok((Self { operation: operation.clone(), id, owner, guarded: guarded.map(Arc::new) }, template))
    }
}

/// An operation that covers a request.
#[derive(Clone, Copy, Debug)]
pub struct Found<'o, 'p> {
    route: &'o Route,
    position: usize,
    path: &'p str,
}

impl<'o, 'p> Found<'o, 'p> {
    /// The operation.
    pub fn operation(&self) -> &'o Operation {
        &self.route.operation
    }

    /// Its position in the service's list.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How what it answers is judged; `None` where that passes as it is.
    pub fn guarded(&self) -> Option<&'o Arc<Guarded>> {
        self.route.guarded.as_ref()
    }

    /// The resource's id, percent-encoded as it came; `None` where the operation names none.
    pub fn id(&self) -> Option<&'p str> {
        template::split(self.path).nth(self.route.id?)
    }

    /// The resource's owner, percent-encoded as it came; `None` where the request does not show it.
    pub fn owner(&self) -> Option<&'p str> {
        template::split(self.path).nth(self.route.owner?)
    }

    /// What the path says for the template parameter `name`, percent-encoded as it came.
    pub fn parameter(&self, name: &str) -> Option<&'p str> {
        template::split(self.path).nth(template::parameter(&self.route.operation.path, name)?)
    }
}

/// Why the operations of a service cannot be told apart or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError {
    /// Position of the operation in the service's list.
    pub position: usize,
    /// What is wrong with it.
    pub problem: OperationProblem,
}

/// What is wrong with an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationProblem {
    /// There are too many.
    TooMany,
    /// Not a method in upper case.
    Method(String),
    /// Does not begin with `/`.
    NoSlash,
    /// A segment that is empty, a dot segment, too many segments, or a character that no path holds.
    Segment(String),
    /// Braces that do not span one whole segment around a name.
    Braces(String),
    /// One parameter is there twice.
    ParameterTwice(String),
    /// `id` or `owner` names no parameter of the template.
    NoParameter(String),
    /// The paths are so much alike that one request could take too many steps.
    Alike,
    /// What it answers cannot be guarded as it is declared.
    Response(RuleError),
    /// Another operation covers exactly the same requests.
    Conflict(String),
}

impl fmt::Display for OperationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "a service may have {MAX_OPERATIONS} operations, not more"),
            Self::Method(method) => write!(f, "`{method}` is no HTTP method in upper case, as `GET`"),
            Self::NoSlash => f.write_str("a path must begin with `/`"),
            Self::Segment(segment) => write!(
                f,
                "`{segment}` cannot be a segment of a path: write plain ASCII, no empty or dot segment, no query, at most {} segments",
                template::MAX_SEGMENTS
            ),
            Self::Braces(segment) => {
                write!(f, "`{segment}` must be one whole parameter, as `{{id}}`, or hold no braces")
            }
            Self::ParameterTwice(name) => write!(f, "parameter `{name}` is there twice"),
            Self::NoParameter(name) => write!(f, "the path has no parameter `{{{name}}}`"),
            Self::Alike => write!(
                f,
                "with it, paths of this method differ only by a parameter in so many places that one request could take more than {} steps",
                trie::MAX_STEPS
            ),
            Self::Response(error) => write!(f, "response: {error}"),
            Self::Conflict(other) => write!(f, "covers the same requests as `{other}`"),
        }
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}: {}", self.position + 1, self.problem)
    }
}

impl std::error::Error for OperationError {}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_tenancy::SpiffeId;

    fn service(operations: &[&str]) -> Service {
        let operation = |http: &&str| {
            let (method, path) = http.split_once(' ').unwrap_or(("", http));
            Operation {
                method: method.into(),
                path: path.into(),
                action: http.to_string(),
                resource: "Thing".into(),
                id: path.contains("{id}").then(|| "id".into()),
                owner: if path.contains("{tenant}") { Owner::Path("tenant".into()) } else { Owner::Unseen },
                anonymous: false,
                response: None,
            }
        };
        Service {
            name: "things".into(),
            spiffe_id: SpiffeId::parse("spiffe://mesh.example/things").unwrap(),
            clusters: vec![],
            callers: vec![],
            max_context_age: 60,
            recover: partywall_tenancy::Recover::Handle,
            own_tenant: None,
            act_for: None,
            operations: operations.iter().map(operation).collect(),
        }
    }

    fn compiled(operations: &[&str]) -> Operations {
        Operations::compile(&service(operations)).unwrap()
    }

    fn found<'o>(operations: &'o Operations, method: &str, path: &str) -> Option<&'o str> {
        operations.find(method, path).map(|f| f.operation().path.as_str())
    }

    #[test]
    fn finds_by_method_and_path_without_the_query() {
        let operations = compiled(&["GET /things/{id}", "DELETE /things/{id}", "GET /things", "GET /"]);
        assert_eq!(found(&operations, "GET", "/things/7"), Some("/things/{id}"));
        assert_eq!(found(&operations, "GET", "/things/7?tenant=globex"), Some("/things/{id}"));
        assert_eq!(found(&operations, "GET", "/things?/7"), Some("/things"));
        assert_eq!(found(&operations, "GET", "/"), Some("/"));
        assert_eq!(operations.find("DELETE", "/things/7").unwrap().position(), 1);
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
        let found = operations.find("GET", "/tenants/acme/things/%2541?x").unwrap();
        assert_eq!((found.owner(), found.id()), (Some("acme"), Some("%2541")));
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
        missing.operations[0].owner = Owner::Path("tenant".into());
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
