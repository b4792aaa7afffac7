//! One set of policies among entities, and requests: what the program says and what Cedar says.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, PolicyId, PolicySet, Request, SlotId};
use partywall_cli::lower::any::{Compiled, oracle};
use partywall_cli::lower::oracle::Ruling;
use serde_json::{Value, json};

use crate::generate;
use crate::random::Random;

/// Requests to each set.
const REQUESTS: usize = 10;

/// A set of policies, links and entities in the formats of the `cedar` command.
#[derive(Clone)]
struct Material {
    policies: Vec<String>,
    links: Vec<Link>,
    entities: Vec<Value>,
}

#[derive(Clone)]
struct Link {
    template: String,
    id: String,
    slots: Vec<(SlotId, String)>,
}

#[derive(Clone)]
struct Asked {
    principal: String,
    action: String,
    resource: String,
    context: Value,
}

/// What was compared, so that a generator that only ever denies is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) compared: usize,
    pub(crate) allowed: usize,
    pub(crate) forbidden: usize,
    pub(crate) with_errors: usize,
}

/// Makes up one set and its requests. An error is the least material on which program and Cedar differ.
pub(crate) fn one_set(random: &mut Random) -> Result<Tally, String> {
    let count = 1 + random.below(5);
    let material = Material::generate(random, count);
    let ready = Ready::of(&material)?;
    let mut tally = Tally::default();
    for _ in 0..REQUESTS {
        let (principal, action, resource) = generate::request(random);
        let asked = Asked { principal, action, resource, context: generate::attributes(random) };
        let (ours, theirs) = ready.ask(&asked);
        if ours.as_ref() != Ok(&theirs) {
            return Err(least(material, asked));
        }
        tally.compared += 1;
        tally.allowed += usize::from(theirs.allowed);
        tally.forbidden += usize::from(!theirs.allowed && !theirs.determining.is_empty());
        tally.with_errors += usize::from(!theirs.errors.is_empty());
    }
    Ok(tally)
}

fn uid(text: &str) -> EntityUid {
    EntityUid::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

impl Material {
    fn generate(random: &mut Random, count: usize) -> Self {
        let policies = generate::policies(random, count);
        let mut links = Vec::new();
        for (template, principal, resource) in policies.templates {
            for nth in 0..2 {
                let mut slots = Vec::new();
                if principal {
                    slots.push((SlotId::principal(), generate::link(random)));
                }
                if resource {
                    slots.push((SlotId::resource(), generate::link(random)));
                }
                links.push(Link { template: template.clone(), id: format!("{template}-{nth}"), slots });
            }
        }
        let entities = generate::entities(random).as_array().cloned().unwrap_or_default();
        Self { policies: policies.texts, links, entities }
    }

    /// Each policy under its `@id`, and the links.
    fn set(&self) -> Result<PolicySet, String> {
        let text = self.policies.concat();
        let parsed = PolicySet::from_str(&text).map_err(|e| format!("{e:?}\n{text}"))?;
        let mut set = PolicySet::new();
        let id = |annotation: Option<&str>| annotation.map(PolicyId::new).ok_or("a policy has no `@id`");
        for policy in parsed.policies() {
            set.add(policy.new_id(id(policy.annotation("id"))?)).map_err(|e| e.to_string())?;
        }
        for template in parsed.templates() {
            let id = id(template.annotation("id"))?;
            set.add_template(template.new_id(id)).map_err(|e| e.to_string())?;
        }
        for Link { template, id, slots } in &self.links {
            let slots: HashMap<_, _> = slots.iter().map(|(slot, entity)| (slot.clone(), uid(entity))).collect();
            set.link(PolicyId::new(template), PolicyId::new(id), slots).map_err(|e| e.to_string())?;
        }
        Ok(set)
    }
}

/// A set that was lowered.
struct Ready {
    set: PolicySet,
    entities: Entities,
    compiled: Compiled,
}

impl Ready {
    fn of(material: &Material) -> Result<Self, String> {
        let set = material.set()?;
        let entities = Entities::from_json_value(Value::Array(material.entities.clone()), None);
        let entities = entities.map_err(|e| e.to_string())?;
        let actions: Vec<EntityUid> = generate::actions().iter().map(|action| uid(action)).collect();
        let compiled = Compiled::new(&set, &actions, &entities);
        let compiled = compiled.map_err(|e| format!("{}\n{}", e.join("\n"), material.policies.concat()))?;
        Ok(Self { set, entities, compiled })
    }

    fn ask(&self, asked: &Asked) -> (Result<Ruling, String>, Ruling) {
        let context = Context::from_json_value(asked.context.clone(), None).unwrap_or_else(|e| panic!("{e}"));
        let request = Request::new(uid(&asked.principal), uid(&asked.action), uid(&asked.resource), context, None);
        let request = request.unwrap_or_else(|e| panic!("{e}"));
        (self.compiled.ask(&request, &self.entities), oracle(&self.set, &request, &self.entities))
    }
}

/// What both say, where they differ.
fn difference(material: &Material, asked: &Asked) -> Option<String> {
    let (ours, theirs) = Ready::of(material).ok()?.ask(asked);
    (ours.as_ref() != Ok(&theirs)).then(|| format!("program: {ours:?}\nCedar:   {theirs:?}"))
}

/// Takes away whatever is not needed for the difference, and writes the rest as files for `partywall decide`.
fn least(mut material: Material, mut asked: Asked) -> String {
    let differs = |material: &Material, asked: &Asked| difference(material, asked).is_some();
    for at in (0..material.links.len()).rev() {
        let mut fewer = material.clone();
        fewer.links.remove(at);
        if differs(&fewer, &asked) {
            material = fewer;
        }
    }
    for at in (0..material.policies.len()).rev() {
        let mut fewer = material.clone();
        fewer.policies.remove(at);
        if differs(&fewer, &asked) {
            material = fewer;
        }
    }
    for at in (0..material.entities.len()).rev() {
        let mut fewer = material.clone();
        fewer.entities.remove(at);
        if differs(&fewer, &asked) {
            material = fewer;
        }
    }
    let names: Vec<String> = asked.context.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    for name in names {
        let mut fewer = asked.clone();
        fewer.context.as_object_mut().map(|fields| fields.remove(&name));
        if differs(&material, &fewer) {
            asked = fewer;
        }
    }
    let request = json!({
        "principal": asked.principal, "action": asked.action, "resource": asked.resource, "context": asked.context,
    });
    let links: Vec<Value> = material
        .links
        .iter()
        .map(|Link { template, id, slots }| {
            let slots: serde_json::Map<_, _> =
                slots.iter().map(|(slot, entity)| (slot.to_string(), json!(entity))).collect();
            json!({ "template_id": template, "link_id": id, "args": slots })
        })
        .collect();
    format!(
        "{}\n-- policies\n{}-- links\n{}\n-- entities\n{}\n-- request\n{request}\n",
        difference(&material, &asked).unwrap_or_default(),
        material.policies.concat(),
        json!(links),
        json!(material.entities)
    )
}
