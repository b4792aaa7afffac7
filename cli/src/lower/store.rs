//! Any request and any entities of Cedar's as a world that a program can be asked about.

use std::collections::{BTreeMap, HashMap};

use cedar_policy_core::ast::{self, EntityUID, Expr, ExprKind, PartialValue, RestrictedExpr};
use cedar_policy_core::entities::Entities;
use partywall_authorization::{Entity, Lookup, Place, Program, Slice, Text, Value, Variable, World, extension};

use super::build::count;

/// A request among entities, in the numbers of one program.
#[derive(Debug)]
pub(super) struct Store {
    principal: Entity,
    action: Entity,
    resource: Entity,
    context: Value,
    values: Vec<Value>,
    entities: HashMap<Entity, Known>,
    kinds: HashMap<Entity, Text>,
    texts: Vec<String>,
    first_text: u32,
}

#[derive(Debug, Default)]
struct Known {
    attributes: HashMap<Text, Value>,
    tags: HashMap<Text, Value>,
    ancestors: Vec<Entity>,
}

impl Store {
    /// Numbers everything in `request` and `entities`. An error says what is neither a value nor an entity.
    pub(super) fn new(program: &Program, request: &ast::Request, entities: &Entities) -> Result<Self, String> {
        let mut numbering = Numbering::of(program);
        let uid = |entry: &ast::EntityUIDEntry, what: &str| {
            entry.uid().cloned().ok_or_else(|| format!("the request leaves {what} open"))
        };
        let principal = numbering.entity(&uid(request.principal(), "the principal")?);
        let action = numbering.entity(&uid(request.action(), "the action")?);
        let resource = numbering.entity(&uid(request.resource(), "the resource")?);
        let context = match request.context() {
            Some(ast::Context::Value(fields)) => {
                let fields = fields.iter().map(|(name, v)| Ok((name.as_str(), numbering.value(v.clone())?)));
                let fields = fields.collect::<Result<Vec<_>, String>>()?;
                numbering.record(fields)
            }
            Some(ast::Context::RestrictedResidual(_)) | None => {
                return Err("the request leaves its context open".into());
            }
        };
        let mut known = HashMap::new();
        for entity in entities.iter() {
            let number = numbering.entity(entity.uid());
            let mut named = Known::default();
            for (name, value) in entity.attrs() {
                let value = numbering.partial(value)?;
                named.attributes.insert(numbering.text(name), value);
            }
            for (name, value) in entity.tags() {
                let value = numbering.partial(value)?;
                named.tags.insert(numbering.text(name), value);
            }
            named.ancestors = entity.ancestors().map(|uid| numbering.entity(uid)).collect();
            known.insert(number, named);
        }
        let Numbering { texts, more_texts, values, kinds, .. } = numbering;
        Ok(Self {
            principal,
            action,
            resource,
            context,
            values,
            entities: known,
            kinds,
            texts: more_texts,
            first_text: texts,
        })
    }

    /// The number of the request's action.
    pub(super) fn action(&self) -> Entity {
        self.action
    }
}

/// Numbers for what a program names, and further ones for what it does not.
struct Numbering<'p> {
    program: &'p Program,
    texts: u32,
    more_texts: Vec<String>,
    by_text: HashMap<String, Text>,
    entities: u32,
    by_uid: HashMap<EntityUID, Entity>,
    kinds: HashMap<Entity, Text>,
    values: Vec<Value>,
}

impl<'p> Numbering<'p> {
    fn of(program: &'p Program) -> Self {
        let body = program.body();
        Self {
            program,
            texts: count(body.texts.len()),
            more_texts: Vec::new(),
            by_text: HashMap::new(),
            entities: count(body.entities.len()),
            by_uid: HashMap::new(),
            kinds: HashMap::new(),
            values: Vec::new(),
        }
    }

    fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.program.find_text(text).or_else(|| self.by_text.get(text).copied()) {
            return known;
        }
        let number = Text(self.texts + count(self.more_texts.len()));
        self.more_texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), number);
        number
    }

    fn entity(&mut self, uid: &EntityUID) -> Entity {
        if let Some(known) = self.by_uid.get(uid) {
            return *known;
        }
        let kind = uid.entity_type().to_string();
        let number = match self.program.find_entity(&kind, uid.eid().as_ref()) {
            Some(named) => named,
            None => {
                self.entities += 1;
                Entity(self.entities - 1)
            }
        };
        let kind = self.text(&kind);
        self.kinds.insert(number, kind);
        self.by_uid.insert(uid.clone(), number);
        number
    }

    fn partial(&mut self, value: &PartialValue) -> Result<Value, String> {
        match value {
            PartialValue::Value(value) => self.value(value.clone()),
            PartialValue::Residual(_) => Err("an entity has an unknown attribute".into()),
        }
    }

    fn value(&mut self, value: ast::Value) -> Result<Value, String> {
        self.expression(&RestrictedExpr::from(value).into())
    }

    fn expression(&mut self, expr: &Expr) -> Result<Value, String> {
        match expr.expr_kind() {
            ExprKind::Lit(ast::Literal::Bool(value)) => Ok(Value::Bool(*value)),
            ExprKind::Lit(ast::Literal::Long(value)) => Ok(Value::Long(*value)),
            ExprKind::Lit(ast::Literal::String(text)) => Ok(Value::Text(self.text(text))),
            ExprKind::Lit(ast::Literal::EntityUID(uid)) => Ok(Value::Entity(self.entity(uid))),
            ExprKind::Set(elements) => {
                let elements = elements.iter().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::Set(self.slice(&elements)))
            }
            ExprKind::Record(fields) => {
                let fields = fields.iter().map(|(name, e)| Ok((name.as_str(), self.expression(e)?)));
                let fields = fields.collect::<Result<Vec<_>, String>>()?;
                Ok(self.record(fields))
            }
            ExprKind::ExtensionFunctionApp { fn_name, args } => {
                let args = args.iter().map(|e| self.expression(e)).collect::<Result<Vec<_>, _>>()?;
                self.call(&fn_name.to_string(), &args).ok_or_else(|| format!("`{expr}` has no value"))
            }
            _ => Err(format!("`{expr}` is no value")),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Value> {
        match (name, arguments) {
            ("offset", [Value::Datetime(at), Value::Duration(by)]) => at.checked_add(*by).map(Value::Datetime),
            (name, [Value::Text(text)]) => {
                let text = self.text_of(*text);
                match name {
                    "decimal" => extension::decimal(text).map(Value::Decimal),
                    "ip" => extension::ip(text).map(Value::Ip),
                    "datetime" => extension::datetime(text).map(Value::Datetime),
                    "duration" => extension::duration(text).map(Value::Duration),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn text_of(&self, text: Text) -> &str {
        let texts = &self.program.body().texts;
        let found = match text.0.checked_sub(self.texts) {
            None => texts.get(text.0 as usize),
            Some(more) => self.more_texts.get(more as usize),
        };
        found.map_or("", String::as_str)
    }

    fn record(&mut self, fields: Vec<(&str, Value)>) -> Value {
        // Sorted by number, as those of the program are.
        let fields: BTreeMap<Text, Value> = fields.into_iter().map(|(name, value)| (self.text(name), value)).collect();
        let flat: Vec<Value> = fields.into_iter().flat_map(|(name, value)| [Value::Text(name), value]).collect();
        Value::Record(self.slice(&flat))
    }

    fn slice(&mut self, values: &[Value]) -> Slice {
        let start = count(self.values.len());
        self.values.extend(values);
        Slice { place: Place::World, start, len: count(values.len()) }
    }
}

impl World for Store {
    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Principal => Value::Entity(self.principal),
            Variable::Action => Value::Entity(self.action),
            Variable::Resource => Value::Entity(self.resource),
            Variable::Context => self.context,
        }
    }

    fn attribute(&self, entity: Entity, name: Text) -> Lookup {
        look_up(self.entities.get(&entity).map(|known| &known.attributes), name)
    }

    fn tag(&self, entity: Entity, name: Text) -> Lookup {
        look_up(self.entities.get(&entity).map(|known| &known.tags), name)
    }

    fn is_in(&self, child: Entity, ancestor: Entity) -> bool {
        self.ancestors(child).contains(&ancestor)
    }

    fn kind(&self, entity: Entity) -> Option<Text> {
        self.kinds.get(&entity).copied()
    }

    fn text(&self, text: Text) -> Option<&str> {
        let at = text.0.checked_sub(self.first_text)?;
        self.texts.get(at as usize).map(String::as_str)
    }

    fn value(&self, at: usize) -> Option<Value> {
        self.values.get(at).copied()
    }

    fn ancestors(&self, entity: Entity) -> &[Entity] {
        self.entities.get(&entity).map_or(&[], |known| &known.ancestors)
    }

    fn tenant(&self) -> Option<Entity> {
        None
    }
}

fn look_up(named: Option<&HashMap<Text, Value>>, name: Text) -> Lookup {
    match named {
        None => Lookup::NoEntity,
        Some(named) => named.get(&name).map_or(Lookup::Missing, |value| Lookup::Found(*value)),
    }
}
