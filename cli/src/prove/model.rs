//! From what the solver answers to the facts of a request.

use cedar_policy::{Entities, EntityUid, EvalResult};
use cedar_policy_symcc::Env;
use partywall_authorization::extension;
use partywall_tenancy::{Attributes, NameSet, Tenant, TenantId, TenantStatus, UnixSeconds};

use super::{Kind, Side};
use crate::lower::{Case, SCOPES_OF_TENANTS};

/// The request that a model describes. `None` where it is not as sidecars make them, which would be a defect.
pub(super) fn case(kind: &Kind, side: &Side, model: &Env) -> Option<Case> {
    let (request, entities) = (&model.request, &model.entities);
    let (principal, resource) = (request.principal()?, request.resource()?);
    let (own, owner) = (entity(entities, principal, "tenant")?, entity(entities, resource, "tenant")?);
    let context = request.context()?;
    let workload = |name: &str| match context.get(name)? {
        EvalResult::EntityUid(workload) => Some(workload.id().unescaped().to_owned()),
        _ => None,
    };
    let (service, caller) = (workload("service")?, workload("caller")?);
    let mut roles: Vec<String> = entities.ancestors(principal)?.map(|role| role.id().unescaped().to_owned()).collect();
    roles.sort();
    let id = principal.id().unescaped();
    // What the solver made up, policies do not name; it gets names that they do not name either.
    let unnamed = |name: &str| unnamed(name, |name| side.tenants.iter().any(|tenant| tenant.id.as_str() == name));
    let tenant = tenant(entities, &own, &unnamed("some-tenant"))?;
    let named = id.split_once('/').filter(|_| side.users.contains_key(id)).map(|(_, subject)| subject.to_owned());
    let someone = || self::unnamed("someone", |name| side.users.contains_key(&format!("{}/{name}", tenant.id)));
    Some(Case {
        owner: if own == owner { tenant.clone() } else { self::tenant(entities, &owner, &unnamed("another-tenant"))? },
        subject: named.unwrap_or_else(someone),
        roles,
        action: kind.action.clone(),
        resource_type: kind.resource.clone(),
        resource_id: resource.id().unescaped().to_owned(),
        tenant,
        service,
        caller,
        attributes: Attributes {
            dataset: text(entities, resource, "dataset")?,
            classification: text(entities, resource, "classification")?,
            purpose: match request.context()?.get("purpose")? {
                EvalResult::String(purpose) => purpose.clone(),
                _ => return None,
            },
            scope: match context.get("scope")? {
                EvalResult::String(scope) => SCOPES_OF_TENANTS.into_iter().find(|known| known.name() == scope)?,
                _ => return None,
            },
            ..Attributes::default()
        },
        time: match request.context()?.get("time")? {
            EvalResult::ExtensionValue(time) => self::time(&time)?,
            _ => return None,
        },
        networks: set(request.context()?.get("networks")?)?,
        scopes: set(request.context()?.get("scopes")?)?.iter().map(str::to_owned).collect(),
    })
}

/// `name`, with a number behind it where that is taken.
fn unnamed(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn tenant(entities: &Entities, uid: &EntityUid, made_up: &str) -> Option<Tenant> {
    let status = text(entities, uid, "status")?;
    let id = TenantId::parse(uid.id().unescaped()).or_else(|_| TenantId::parse(made_up)).ok()?;
    Some(Tenant {
        id,
        tier: text(entities, uid, "tier")?.into(),
        status: TenantStatus::ALL.into_iter().find(|known| known.name() == status)?,
        residency: text(entities, uid, "residency")?.into(),
        cell: None,
        features: names(entities, uid, "features")?,
        consents: names(entities, uid, "consents")?,
    })
}

/// The time that Cedar writes as `datetime("…")`, or as one and what is added to it, in whole seconds as sidecars know
/// it.
fn time(written: &str) -> Option<UnixSeconds> {
    let mut texts = written.split('"').skip(1).step_by(2);
    let at = extension::datetime(texts.next()?)?;
    let more = texts.next().map_or(Some(0), extension::duration)?;
    u64::try_from(at.checked_add(more)?.div_euclid(1000)).ok()
}

/// A set of texts. None where it has more than any tenant.
fn names(entities: &Entities, uid: &EntityUid, name: &str) -> Option<NameSet> {
    set(entities.get(uid)?.attr(name)?.ok()?)
}

fn set(value: EvalResult) -> Option<NameSet> {
    let EvalResult::Set(set) = value else { return None };
    let text = |value: &EvalResult| if let EvalResult::String(text) = value { Some(text.clone()) } else { None };
    NameSet::new(set.iter().map(text).collect::<Option<Vec<String>>>()?)
}

fn text(entities: &Entities, uid: &EntityUid, name: &str) -> Option<String> {
    match entities.get(uid)?.attr(name)?.ok()? {
        EvalResult::String(text) => Some(text),
        _ => None,
    }
}

fn entity(entities: &Entities, uid: &EntityUid, name: &str) -> Option<EntityUid> {
    match entities.get(uid)?.attr(name)?.ok()? {
        EvalResult::EntityUid(uid) => Some(uid),
        _ => None,
    }
}
