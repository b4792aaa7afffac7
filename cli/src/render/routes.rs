//! Which paths lead to which service, by its operations.

use partywall_tenancy::Service;

use crate::exit::Failure;
use crate::render::cells::Target;

/// A segment of a route: a text, or nothing for one that a parameter stands for.
type Segment = Option<String>;

/// The routes of the edge to `services`, as items of a YAML list: for each template what comes before its last
/// parameters, the more exact ones first, and for each the instances of the service. Two services at one route are an
/// error.
pub(super) fn routes<'s>(services: impl Iterator<Item = (&'s Service, Vec<Target>)>) -> Result<String, Failure> {
    let mut all: Vec<(Vec<Segment>, Vec<Target>, &str)> = Vec::new();
    for (service, targets) in services {
        let mut own: Vec<Vec<Segment>> = service.operations.iter().map(|o| prefix(&o.path)).collect();
        own.sort_by_key(Vec::len);
        let mut kept: Vec<Vec<Segment>> = Vec::new();
        for route in own {
            // What a shorter one of the same service covers needs no route of its own.
            if !kept.iter().any(|shorter| route.starts_with(shorter)) {
                kept.push(route);
            }
        }
        for route in kept {
            if let Some((.., other)) = all.iter().find(|(known, ..)| *known == route) {
                return Err(Failure::invalid(format!(
                    "`{other}` and `{}` are both reached at `{}`, so that no route can tell them apart\nhelp: let the \
                     operations of each begin with a path of its own",
                    service.name,
                    shown(&route)
                )));
            }
            all.push((route, targets.clone(), &service.name));
        }
    }
    all.sort_by_cached_key(|(route, ..)| rank(route));
    let line = |route: &[Segment], target: &Target| {
        let (path, condition, cluster) = (matcher(route), target.condition(), &target.cluster);
        format!("- match: {{ {path}{condition} }}\n  route: {{ cluster: {cluster}, timeout: 15s }}\n")
    };
    let lines = |(route, targets, _): &(Vec<Segment>, Vec<Target>, &str)| {
        targets.iter().map(|target| line(route, target)).collect::<String>()
    };
    Ok(all.iter().map(lines).collect())
}

fn prefix(template: &str) -> Vec<Segment> {
    let mut segments: Vec<Segment> =
        template.split('/').skip(1).map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned())).collect();
    while matches!(segments.last(), Some(None)) {
        segments.pop();
    }
    segments
}

/// Texts before parameters before the end, so that the more exact route is asked first.
fn rank(route: &[Segment]) -> Vec<(u8, String)> {
    let end = (2, String::new());
    let of = |segment: &Segment| segment.as_ref().map_or((1, String::new()), |text| (0, text.clone()));
    route.iter().map(of).chain([end]).collect()
}

fn shown(route: &[Segment]) -> String {
    route.iter().map(|segment| format!("/{}", segment.as_deref().unwrap_or("*"))).collect()
}

fn matcher(route: &[Segment]) -> String {
    if route.is_empty() || route == [Some(String::new())] {
        return "prefix: /".to_owned();
    }
    let parameter = route.iter().any(Option::is_none);
    if !parameter {
        return format!("path_separated_prefix: {}", super::template::scalar(&shown(route)));
    }
    let part = |segment: &Segment| segment.as_deref().map_or("/[^/]+".to_owned(), |text| format!("/{}", literal(text)));
    let regex: String = route.iter().map(part).collect();
    format!("safe_regex: {{ regex: {} }}", serde_json::Value::from(format!("{regex}(/.*)?")))
}

/// `text` as a regular expression (RE2) that matches it alone.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '-' | '_' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_what_comes_before_the_last_parameters() {
        for (template, wanted) in [
            ("/orders/{id}", "path_separated_prefix: /orders"),
            ("/tenants/{tenant}/orders/{id}", "safe_regex: { regex: \"/tenants/[^/]+/orders(/.*)?\" }"),
            ("/a.b/{x}/c", "safe_regex: { regex: \"/a\\\\.b/[^/]+/c(/.*)?\" }"),
            ("/{anything}", "prefix: /"),
            ("/", "prefix: /"),
        ] {
            assert_eq!(matcher(&prefix(template)), wanted);
        }
        assert!(rank(&prefix("/a/b")) < rank(&prefix("/a/{x}/c")) && rank(&prefix("/a/{x}/c")) < rank(&prefix("/a")));
    }
}
