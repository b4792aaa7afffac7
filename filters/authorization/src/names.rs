//! What a program names of the world of requests, found once per bundle.

use std::collections::HashMap;

use crate::{Entity, Id, Program, Text};

/// The entities of one type that policies name, by id.
type Named = HashMap<Box<str>, Entity>;

/// The numbers that a program gave to what requests are made of.
#[derive(Debug)]
pub struct Names {
    /// How many texts and entities the program names: what a request adds is numbered from there.
    pub(crate) texts: u32,
    pub(crate) entities: u32,
    /// Attributes of the schema.
    pub(crate) tenant: Option<Text>,
    pub(crate) tier: Option<Text>,
    pub(crate) residency: Option<Text>,
    pub(crate) status: Option<Text>,
    pub(crate) service: Option<Text>,
    /// Every text that is compared with, by itself.
    text: HashMap<Box<str>, Text>,
    kinds: HashMap<Box<str>, Kind>,
}

#[derive(Debug)]
struct Kind {
    name: Text,
    ids: Named,
}

impl Names {
    /// Looks through a program.
    pub fn of(program: &Program) -> Self {
        let body = program.body();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let text =
            |text: Text| usize::try_from(text.0).ok().and_then(|at| body.texts.get(at)).map_or("", String::as_str);
        let mut kinds: HashMap<Box<str>, Kind> = HashMap::new();
        for (number, (kind, id)) in (0u32..).zip(&body.entities) {
            let of_kind = kinds.entry(text(*kind).into()).or_insert_with(|| Kind { name: *kind, ids: HashMap::new() });
            of_kind.ids.insert(text(*id).into(), Entity(number));
        }
        Self {
            texts: count(body.texts.len()),
            entities: count(body.entities.len()),
            tenant: program.find_text("tenant"),
            tier: program.find_text("tier"),
            residency: program.find_text("residency"),
            status: program.find_text("status"),
            service: program.find_text("service"),
            text: (0u32..).zip(&body.texts).map(|(at, text)| (text.as_str().into(), Text(at))).collect(),
            kinds,
        }
    }

    /// The number of a text, if policies name it.
    pub(crate) fn text(&self, text: &str) -> Option<Text> {
        self.text.get(text).copied()
    }

    /// The number of an entity, if policies name it.
    pub(crate) fn entity(&self, kind: &str, id: Id<'_>) -> Option<Entity> {
        let ids = &self.kinds.get(kind)?.ids;
        match id.as_text() {
            Some(text) => ids.get(text).copied(),
            // Nothing is put together: there are few, and only for such ids are they gone through.
            None => ids.iter().find(|(named, _)| id.bytes().eq(named.bytes())).map(|(_, entity)| *entity),
        }
    }

    /// The number of a type, if policies name it or an entity of it.
    pub(crate) fn kind(&self, kind: &str) -> Option<Text> {
        self.kinds.get(kind).map(|kind| kind.name).or_else(|| self.text(kind))
    }

    /// The number of the nth text that a request adds.
    pub(crate) fn more_text(&self, nth: u32) -> Text {
        Text(self.texts.saturating_add(nth))
    }
}
