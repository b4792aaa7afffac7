//! In which versions of an API something that is marked appears, goes, or stands elsewhere.

use std::collections::BTreeSet;

use super::read::{Api, Field, Message, Type};

/// The first version, the last one, the first flexible one, and each in which the marked places are not those of the
/// version before.
pub fn versions(api: &Api) -> BTreeSet<u8> {
    let (first, last) = api.versions;
    let mut versions = BTreeSet::from([first, last]);
    versions.extend(api.flexible.filter(|flexible| *flexible >= first));
    versions.extend((first + 1..=last).filter(|version| marked(api, *version) != marked(api, version - 1)));
    versions
}

/// Whether the version has a place with this mark, in its request or its response.
pub fn has(api: &Api, version: u8, mark: &str) -> bool {
    marked(api, version).iter().any(|place| place.ends_with(&format!("@{mark}")))
}

/// The marked places of both sides, in the order of the wire.
pub fn marked(api: &Api, version: u8) -> Vec<String> {
    let mut found = Vec::new();
    for (side, message) in [("request", &api.request), ("response", &api.response)] {
        below(message, &message.fields, version, side, &mut found);
    }
    found
}

fn below(message: &Message, fields: &[Field], version: u8, path: &str, found: &mut Vec<String>) {
    for field in fields.iter().filter(|field| within(field.versions, version)) {
        let path = format!("{path}.{}", field.name);
        if let Some((mark, _)) = &field.mark {
            let null = field.nullable && field.null.is_none_or(|null| within(Some(null), version));
            let tag = field.tag.map_or(String::new(), |tag| format!(" tag {tag}"));
            found.push(format!("{path}{}{tag} @{mark}", if null { "?" } else { "" }));
        }
        match &field.kind {
            Type::Plain(_) => {}
            Type::Below => below(message, &field.below, version, &path, found),
            Type::Named(name) => {
                let (_, fields) = message.structs.iter().find(|(known, _)| known == name).unwrap();
                below(message, fields, version, &path, found);
            }
        }
    }
}

pub fn within(versions: Option<(u8, u8)>, version: u8) -> bool {
    versions.is_none_or(|(first, last)| first <= version && version <= last)
}
