//! Names for policies, from the words of a path.

use std::collections::BTreeSet;

/// The template as the directory writes it, and the names of its parameters. OpenAPI's names may hold more characters
/// than ours, and need not be whole segments.
pub(super) fn path(template: &str) -> Result<(String, Vec<String>), String> {
    let template = template.split(['?', '#']).next().unwrap_or_default();
    if template.len() > 1 && template.ends_with('/') {
        return Err("its path ends with `/`, and a path that could be read in two ways is denied".into());
    }
    let mut segments = Vec::new();
    let mut parameters = Vec::new();
    for segment in template.strip_prefix('/').ok_or("its path does not begin with `/`")?.split('/') {
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !name.contains(['{', '}']) => {
                let name = word(name);
                if name.is_empty() || parameters.contains(&name) {
                    return Err(format!("`{segment}` gives no name of its own to a parameter"));
                }
                segments.push(format!("{{{name}}}"));
                parameters.push(name);
            }
            _ if segment.contains(['{', '}']) => {
                return Err(format!("`{segment}` is a parameter and something else in one segment"));
            }
            _ => segments.push(segment.to_owned()),
        }
    }
    Ok((format!("/{}", segments.join("/")), parameters))
}

/// Letters, digits, `_` and `-` of a name; what stands between them becomes `_`.
pub(crate) fn word(text: &str) -> String {
    let kept: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    kept.trim_matches('_').to_owned()
}

/// What a path is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The kind of thing, as a literal segment calls it.
    pub(super) thing: String,
    /// The parameter that says which one.
    pub(super) id: Option<String>,
    /// Whether it is one of them, which the owner may name.
    pub(super) one: bool,
    /// What stands behind it: something done to it, or a part of it.
    pub(super) part: String,
}

/// The name in a segment that is a parameter.
pub(super) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The literals that a parameter follows in some path: each is a collection of things.
pub(super) fn collections<'a>(paths: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    let segments = paths.map(|path| path.split('/').collect::<Vec<_>>());
    let followed = |path: Vec<&'a str>| {
        let pairs = path
            .iter()
            .zip(path.iter().skip(1))
            .filter(|(one, next)| parameter(one).is_none() && parameter(next).is_some());
        pairs.map(|(one, _)| *one).collect::<Vec<_>>()
    };
    segments.flat_map(followed).collect()
}

/// The last collection of a path, but for one that only leads to an owner; without any, its first literal.
pub(super) fn about(path: &str, collections: &BTreeSet<&str>, owners: &[String]) -> About {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty() && !is_version(segment)).collect();
    let next = |at: usize| segments.get(at + 1).and_then(|next| parameter(next));
    let literal = |at: &usize| parameter(segments[*at]).is_none();
    let leads_to_owner = |at: &usize| next(*at).is_some_and(|name| owners.iter().any(|owner| owner == name));
    let literals = || (0..segments.len()).filter(literal);
    let found = literals().rev().find(|at| collections.contains(segments[*at]) && !leads_to_owner(at));
    let found = found.or_else(|| literals().find(|at| !leads_to_owner(at))).or_else(|| literals().next());
    let Some(at) = found else { return About { thing: "root".into(), id: None, one: false, part: String::new() } };
    let id = next(at).filter(|name| !owners.iter().any(|owner| owner == name)).map(str::to_owned);
    let behind = segments.iter().skip(at + 1).filter(|segment| parameter(segment).is_none());
    let part: Vec<String> = behind.map(|segment| word(segment).to_ascii_lowercase()).collect();
    let thing = Some(word(segments[at])).filter(|word| !word.is_empty()).unwrap_or_else(|| "root".into());
    About { thing, id, one: next(at).is_some(), part: part.join("-") }
}

/// `v1`, `v1.57`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit()) && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

/// What is done: `list` to a collection and `read` to one of it, `create`, `update`, `delete`; to a part of it
/// `logs.read`, `archive.update`, or `start`, which a POST does.
pub(super) fn verb(method: &str, about: &About, collections: &BTreeSet<&str>) -> String {
    let plain = match method {
        "GET" | "HEAD" if !about.one && about.part.is_empty() && collections.contains(about.thing.as_str()) => "list",
        "GET" | "HEAD" => "read",
        "POST" => "create",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "update",
    };
    match (about.part.as_str(), method) {
        ("", _) => plain.to_owned(),
        (part, "POST") => part.to_owned(),
        (part, _) => format!("{part}.{plain}"),
    }
}

/// `<thing>:<verb>`, 64 characters at most.
pub(super) fn action(thing: &str, verb: &str) -> String {
    let action = format!("{}:{verb}", thing.to_ascii_lowercase());
    action.chars().take(64).collect()
}

/// A type's name: `order-items` becomes `OrderItem`.
pub(super) fn resource(thing: &str) -> String {
    let mut name = String::new();
    for part in thing.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let (first, rest) = part.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    let name = one_of(&name);
    let name = if name.starts_with(|c: char| c.is_ascii_uppercase()) { name } else { format!("The{name}") };
    let name: String = name.chars().take(60).collect();
    if crate::lower::schema::TAKEN.contains(&name.as_str()) { format!("{name}Item") } else { name }
}

/// The singular of an English word, where its plural is regular.
fn one_of(name: &str) -> String {
    let cut = |ending: &str, instead: &str| name.strip_suffix(ending).map(|stem| format!("{stem}{instead}"));
    if ["ss", "us", "is"].iter().any(|ending| name.ends_with(ending)) || name.len() < 3 {
        return name.to_owned();
    }
    cut("ies", "y")
        .or_else(|| cut("sses", "ss"))
        .or_else(|| cut("xes", "x"))
        .or_else(|| cut("ches", "ch"))
        .or_else(|| cut("s", ""))
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_and_what_is_done_to_them() {
        let paths = ["/v1/pets/{id}", "/tenants/{tenant}", "/order-items/{id}", "/users/{id}", "/policies/{id}"]
            .map(String::from);
        let (known, owners) = (collections(paths.iter()), ["tenant".to_owned()]);
        for (method, path, action_is, resource_is, id) in [
            ("GET", "/v1/pets", "pets:list", "Pet", None),
            ("GET", "/v1/pets/{id}", "pets:read", "Pet", Some("id")),
            ("POST", "/v1/pets/{id}/feed", "pets:feed", "Pet", Some("id")),
            ("GET", "/v1/pets/{id}/photo/small", "pets:photo-small.read", "Pet", Some("id")),
            ("PUT", "/v1/pets/{id}/photo", "pets:photo.update", "Pet", Some("id")),
            ("POST", "/v1/pets/search", "pets:search", "Pet", None),
            ("GET", "/tenants/{tenant}", "tenants:read", "TenantItem", None),
            ("GET", "/tenants/{tenant}/order-items", "order-items:list", "OrderItem", None),
            ("DELETE", "/tenants/{tenant}/order-items/{id}", "order-items:delete", "OrderItem", Some("id")),
            ("GET", "/info", "info:read", "Info", None),
            ("PUT", "/", "root:update", "Root", None),
            ("GET", "/2fa/status", "2fa:status.read", "The2fa", None),
            ("GET", "/policies", "policies:list", "Policy", None),
            ("GET", "/users/{id}", "users:read", "UserItem", Some("id")),
        ] {
            let about = about(path, &known, &owners);
            assert_eq!(action(&about.thing, &verb(method, &about, &known)), action_is, "{path}");
            assert_eq!((resource(&about.thing).as_str(), about.id.as_deref()), (resource_is, id), "{path}");
        }
        assert_eq!(action(&"a".repeat(70), "x").len(), 64);
    }

    #[test]
    fn paths_are_whole_segments_with_names() {
        assert_eq!(path("/a/{pet.id}/b"), Ok(("/a/{pet_id}/b".into(), vec!["pet_id".into()])));
        for wrong in ["a", "/{a}.json", "/{a}...{b}", "/{a}/{a}", "/{}", "/a/", "/{a_}/{a}"] {
            assert!(path(wrong).is_err(), "{wrong}: {:?}", path(wrong));
        }
        assert_eq!(path("/"), Ok(("/".into(), vec![])));
    }
}
