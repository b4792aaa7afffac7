//! From what the tables say to what the walker reads: structs put in where they are named, names resolved, and
//! everything refused that would make a walk go wrong.

use crate::mark::{Mark, Shape};
use crate::read::{Api, Field, Message, Table, Type, Versions};

/// What nothing is written as, in a byte.
pub(crate) const NONE: u8 = u8::MAX;
/// How many fields of one message others may look at.
const SLOTS: usize = 4;
/// How deep structs may stand in each other.
const DEPTH: usize = 12;

/// All that is written into the crate.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) names: Vec<String>,
    pub(crate) fields: Vec<Laid>,
    /// First field, fields before the tagged ones, fields.
    pub(crate) structs: Vec<(u16, u8, u8)>,
    /// Key, name, versions, first flexible version, request, response.
    pub(crate) apis: Vec<(i16, String, Versions, u8, u16, u16)>,
    /// Struct and last version of what clients tell each other.
    pub(crate) subscription: (u16, u8),
    pub(crate) assignment: (u16, u8),
}

/// A field as the crate has it.
#[derive(Clone)]
pub(crate) struct Laid {
    pub(crate) name: u16,
    pub(crate) kind: &'static str,
    pub(crate) list: bool,
    pub(crate) versions: Versions,
    pub(crate) null: Versions,
    pub(crate) tag: u8,
    pub(crate) mark: Option<Mark>,
    pub(crate) body: u16,
    pub(crate) least: u8,
    pub(crate) skip: u8,
    pub(crate) keeps: u8,
    pub(crate) looks_at: [u8; 2],
    pub(crate) ahead: u8,
    pub(crate) fill: Fill,
}

/// What an answer has in a field.
#[derive(Clone)]
pub(crate) enum Fill {
    Default(i32),
    Same([u8; 2]),
    Each([u8; 2]),
    Code,
}

/// Everything, or the first mistake.
pub(crate) fn check(table: &Table) -> Result<Layout, String> {
    let mut layout = Layout::default();
    let mut apis: Vec<&Api> = table.apis.iter().collect();
    apis.sort_by_key(|api| api.key);
    for pair in apis.windows(2) {
        if let [one, other] = pair
            && one.key == other.key
        {
            return other.at.says(format!("API {} is there already, as {}", other.key, one.name));
        }
    }
    for api in apis {
        let flexible = api.flexible.unwrap_or(NONE);
        let top = [Origin { fields: Some(&api.request.fields) }];
        let request = lay(&mut layout, &api.request, api.versions, flexible, None)?;
        let response = lay(&mut layout, &api.response, api.versions, flexible, Some((&api.request, &top)))?;
        layout.apis.push((api.key, api.name.clone(), api.versions, flexible, request, response));
    }
    for (name, mark) in [("subscription", Mark::Subscription), ("assignment", Mark::Assignment)] {
        let Some(found) = table.embedded.iter().find(|embedded| embedded.name == name) else {
            return Err(format!("the tables lack `embedded {name}`"));
        };
        let laid = lay(&mut layout, &found.message, found.versions, NONE, None)?;
        let place = if mark == Mark::Subscription { &mut layout.subscription } else { &mut layout.assignment };
        *place = (laid, found.versions.1);
    }
    if let Some(odd) = table.embedded.iter().find(|e| !["subscription", "assignment"].contains(&e.name.as_str())) {
        return odd.at.says("only `subscription` and `assignment` are embedded");
    }
    Ok(layout)
}

/// Where the elements of a list of an answer come from: a struct of the request, or bare values.
#[derive(Clone, Copy)]
struct Origin<'t> {
    fields: Option<&'t [Field]>,
}

/// One message while its structs are laid out.
struct Work<'t, 'l> {
    layout: &'l mut Layout,
    message: &'t Message,
    request: Option<&'t Message>,
    versions: Versions,
    flexible: u8,
    /// The structs around, outermost first: their fields, the slots that keep them, and which of them is being laid
    /// out.
    around: Vec<(&'t [Field], Vec<u8>, usize)>,
    slots: u8,
}

fn lay<'t>(
    layout: &mut Layout,
    message: &'t Message,
    versions: Versions,
    flexible: u8,
    answers: Option<(&'t Message, &[Origin<'t>])>,
) -> Result<u16, String> {
    let request = answers.map(|(request, _)| request);
    let mut work = Work { layout, message, request, versions, flexible, around: Vec::new(), slots: 0 };
    work.structure(&message.fields, answers.map_or(&[], |(_, origins)| origins))
}

impl<'t> Work<'t, '_> {
    fn structure(&mut self, fields: &'t [Field], origins: &[Origin<'t>]) -> Result<u16, String> {
        if let (Some(first), true) = (fields.first(), self.around.len() >= DEPTH) {
            return first.at.says(format!("more than {DEPTH} structs in each other: does one name itself?"));
        }
        self.around.push((fields, vec![NONE; fields.len()], 0));
        let mut laid = Vec::new();
        for (n, field) in fields.iter().enumerate() {
            if let Some((_, _, here)) = self.around.last_mut() {
                *here = n;
            }
            if fields.iter().take(n).any(|other| other.name == field.name) {
                return field.at.says(format!("a second `{}`", field.name));
            }
            laid.push(self.field(field, origins)?);
        }
        let slots = self.around.pop().map(|(_, slots, _)| slots).unwrap_or_default();
        for (field, slot) in laid.iter_mut().zip(slots) {
            field.keeps = slot;
            if !field.list && slot == NONE {
                field.skip = fixed(field.kind).unwrap_or(0);
            }
        }
        // The walker meets tagged fields behind all others. Stable: positions among the others stay.
        laid.sort_by_key(|field| field.tag != NONE);
        let first = small(self.layout.fields.len())?;
        let plain = laid.iter().filter(|field| field.tag == NONE).count();
        self.layout.structs.push((first, small(plain)?, small(laid.len())?));
        self.layout.fields.extend(laid);
        small(self.layout.structs.len() - 1)
    }

    fn field(&mut self, field: &'t Field, origins: &[Origin<'t>]) -> Result<Laid, String> {
        let at = &field.at;
        let versions = field.versions.unwrap_or(self.versions);
        if versions.0 < self.versions.0 || versions.1 > self.versions.1 {
            return at.says(format!("the versions go beyond {}-{} of the message", self.versions.0, self.versions.1));
        }
        if field.tag.is_some() && versions.0 < self.flexible {
            return at.says("a tagged field in a version that is not flexible");
        }
        let null = match (field.nullable, field.null) {
            (true, null) => null.unwrap_or(versions),
            (false, None) => (1, 0),
            (false, Some(_)) => return at.says("`null` says when a type with `?` may be null"),
        };
        let kind = match &field.kind {
            Type::Plain(plain) => kind(plain),
            Type::Below | Type::Named(_) => "Struct",
        };
        let (mark, looks_at, ahead) = self.mark(field, kind)?;
        let (fill, inner) = self.fill(field, kind, origins)?;
        let (body, least) = match fields_of(self.message, field) {
            None if kind == "Struct" => return at.says("no `struct` of this name in this message"),
            None => (0, self.least_of(field)),
            Some(below) => (self.structure(below, &inner)?, self.least(below)),
        };
        if field.list && least == 0 {
            return at.says("an element of this list may be of no size at all, so that a count promises nothing");
        }
        if mark == Some(Mark::Subscription) || mark == Some(Mark::Assignment) {
            self.at_most_bytes(field)?;
        }
        Ok(Laid {
            name: self.name(&field.name)?,
            kind,
            list: field.list,
            versions,
            null,
            tag: field.tag.unwrap_or(NONE),
            mark,
            body,
            least: u8::try_from(least).unwrap_or(u8::MAX),
            skip: 0,
            keeps: NONE,
            looks_at,
            ahead,
            fill,
        })
    }

    fn at_most_bytes(&self, field: &Field) -> Result<(), String> {
        if field.list { field.at.says("an embedded message is no list") } else { Ok(()) }
    }

    fn mark(&mut self, field: &Field, kind: &str) -> Result<(Option<Mark>, [u8; 2], u8), String> {
        let at = &field.at;
        let Some((name, looks_at)) = &field.mark else { return Ok((None, [NONE; 2], 0)) };
        let Some((_, mark, shape)) = Mark::ALL.iter().find(|(known, ..)| known == name) else {
            return at.says(format!("`@{name}` is no mark"));
        };
        let fits = match shape {
            Shape::Text => kind == "Text",
            Shape::Bytes => kind == "Bytes",
            Shape::Uuid => kind == "Uuid",
            Shape::Number => kind.starts_with("Int") || kind.starts_with("UInt"),
            Shape::List => kind == "Struct" && field.list,
        };
        if !fits {
            return at.says(format!("`@{name}` does not fit this type"));
        }
        if looks_at.len() > 2 {
            return at.says("a mark looks at two fields at most");
        }
        let mut slots = [NONE; 2];
        let mut ahead = 0;
        for (n, (slot, name)) in slots.iter_mut().zip(looks_at).enumerate() {
            let (found, later) = self.look(field, name)?;
            *slot = found;
            ahead |= u8::from(later) << n;
        }
        Ok((Some(*mark), slots, ahead))
    }

    /// The slot of the field `name`, in this struct or one around it, and whether it comes later on the wire.
    fn look(&mut self, field: &Field, name: &str) -> Result<(u8, bool), String> {
        let innermost = self.around.len().saturating_sub(1);
        for (level, (fields, slots, here)) in self.around.iter_mut().enumerate().rev() {
            let Some(n) = fields.iter().position(|other| other.name == name) else { continue };
            let (Some(other), Some(slot)) = (fields.get(n), slots.get_mut(n)) else { continue };
            let later = n > *here;
            if later && (level != innermost || field.list) {
                return field.at.says(format!("`{name}` comes later than this struct"));
            }
            if other.list || other.tag.is_some() || !matches!(other.kind, Type::Plain(_)) {
                return field.at.says(format!("`{name}` is no plain value"));
            }
            if *slot == NONE {
                if usize::from(self.slots) == SLOTS {
                    return field.at.says(format!("more than {SLOTS} fields of this message are looked at"));
                }
                *slot = self.slots;
                self.slots += 1;
            }
            return Ok((*slot, later));
        }
        field.at.says(format!("no field `{name}` here or around"))
    }

    /// What an answer has here, and where the elements of a list come from.
    fn fill(&self, field: &Field, kind: &str, origins: &[Origin<'t>]) -> Result<(Fill, Vec<Origin<'t>>), String> {
        let at = &field.at;
        let none = Vec::new();
        if self.request.is_none() && (field.answered || field.same.is_some() || !field.each.is_empty()) {
            return at.says("only fields of responses answer");
        }
        if field.answered {
            let error = field.mark.as_ref().is_some_and(|(name, _)| name == "error");
            return if error { Ok((Fill::Code, none)) } else { at.says("`!` belongs to `@error`") };
        }
        if let Some(same) = &field.same {
            let mut found = [NONE; 2];
            for (place, origin) in found.iter_mut().zip(origins) {
                // A bare value is the element itself, which the walker knows as the 254th field.
                let Some(fields) = origin.fields else {
                    *place = NONE - 1;
                    continue;
                };
                let Some(n) = position(fields, same) else {
                    return at.says(format!("the request has no `{same}` here"));
                };
                let type_fits = fields.iter().any(|f| &f.name == same && !f.list && f.kind == field.kind);
                if !type_fits || field.list {
                    return at.says(format!("`{same}` of the request is of another type"));
                }
                *place = small(n)?;
            }
            return Ok((Fill::Same(found), none));
        }
        if field.each.is_empty() {
            return Ok((Fill::Default(field.default.unwrap_or(0)), none));
        }
        let (&[Origin { fields: Some(fields) }], Some(request)) = (origins, self.request) else {
            return at.says("`each` has no one struct of the request to look in");
        };
        if kind != "Struct" || !field.list || field.each.len() > 2 {
            return at.says("`each` makes elements of a list of structs, from two lists of the request at most");
        }
        let mut found = [NONE; 2];
        let mut inner = Vec::new();
        for (place, name) in found.iter_mut().zip(&field.each) {
            let Some((n, list)) = position(fields, name).zip(fields.iter().find(|f| &f.name == name && f.list)) else {
                return at.says(format!("the request has no list `{name}` here"));
            };
            *place = small(n)?;
            inner.push(Origin { fields: fields_of(request, list) });
        }
        Ok((Fill::Each(found), inner))
    }

    fn name(&mut self, name: &str) -> Result<u16, String> {
        let names = &mut self.layout.names;
        let n = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        small(n)
    }

    /// The smallest size of these fields in any version.
    fn least(&self, fields: &[Field]) -> usize {
        (self.versions.0..=self.versions.1).map(|version| self.least_at(fields, version)).min().unwrap_or(0)
    }

    fn least_at(&self, fields: &[Field], version: u8) -> usize {
        let flexible = version >= self.flexible;
        let size = |field: &Field| {
            let (first, last) = field.versions.unwrap_or(self.versions);
            if field.tag.is_some() || !(first..=last).contains(&version) {
                return 0;
            }
            match &field.kind {
                _ if field.list => {
                    if flexible {
                        1
                    } else {
                        4
                    }
                }
                Type::Plain(plain) => size(plain, flexible),
                Type::Below | Type::Named(_) if field.nullable => 1,
                Type::Below | Type::Named(_) => {
                    fields_of(self.message, field).map_or(0, |below| self.least_at(below, version))
                }
            }
        };
        fields.iter().map(size).sum::<usize>() + usize::from(flexible)
    }

    /// The smallest size of an element of a list of bare values, or of a value.
    fn least_of(&self, field: &Field) -> usize {
        match &field.kind {
            Type::Plain(plain) => size(plain, self.flexible <= self.versions.1),
            Type::Below | Type::Named(_) => 0,
        }
    }
}

/// The place of a field among those without a tag.
fn position(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().filter(|field| field.tag.is_none()).position(|field| field.name == name)
}

fn fields_of<'t>(message: &'t Message, field: &'t Field) -> Option<&'t [Field]> {
    match &field.kind {
        Type::Plain(_) => None,
        Type::Below => Some(&field.below),
        Type::Named(name) => {
            message.structs.iter().find(|(known, _)| known == name).map(|(_, fields)| fields.as_slice())
        }
    }
}

fn kind(plain: &str) -> &'static str {
    match plain {
        "bool" | "int8" => "Int8",
        "int16" => "Int16",
        "uint16" => "UInt16",
        "int32" => "Int32",
        "int64" | "float64" => "Int64",
        "uuid" => "Uuid",
        "string" => "Text",
        _ => "Bytes",
    }
}

/// The size of a kind that always has the same.
fn fixed(kind: &str) -> Option<u8> {
    match kind {
        "Int8" => Some(1),
        "Int16" | "UInt16" => Some(2),
        "Int32" => Some(4),
        "Int64" => Some(8),
        "Uuid" => Some(16),
        _ => None,
    }
}

fn size(plain: &str, flexible: bool) -> usize {
    match (kind(plain), flexible) {
        (_, true) if fixed(kind(plain)).is_none() => 1,
        ("Text", _) => 2,
        (kind, _) => fixed(kind).unwrap_or(4).into(),
    }
}

fn small<T: TryFrom<usize>>(n: usize) -> Result<T, String> {
    T::try_from(n).map_err(|_| "the tables are larger than the layout's numbers".to_owned())
}
