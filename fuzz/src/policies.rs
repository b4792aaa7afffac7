//! What must hold for whatever policies are written, and whatever program a bundle carries. As in `targets.rs`, one
//! function per target; `cli/tests/fuzz_replay.rs` includes this file and replays the corpus.

use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Entities, EntityUid, PolicySet};
use partywall_authorization::{Id, Names, Outcome, Program, RequestFacts, RequestWorld, Scratch};
use partywall_cli::lower::any::Compiled;
use partywall_tenancy::{NameSet, Tenant, TenantId, TenantStatus};

use crate::compare;
use crate::random::Random;

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("lower", lower), ("program", program)];

const POLICIES: &str = r#"
    @id("a") @owner("team")
    permit (principal in Role::"viewer", action in [Action::"read", Action::"list"], resource is Order)
    when { principal.tenant.tier like "g*d" && [principal.tenant, Tenant::"acme"].contains(resource.tenant) }
    unless { {tier: principal.tenant.tier, n: 1} == {n: 1, tier: "silver"} };
    @id("b")
    forbid (principal, action == Action::"read", resource == Order::"42")
    when { (if context has service.owner then 1 + 2 * 3 else -4) < 7 || ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) };
    @id("c")
    permit (principal, action, resource)
    when { [[1, 2], [principal.tenant.tier]].containsAny([[context.service]]) || !(duration("1h").toDays() >= 0) };
"#;

/// Policies, entities and requests made up by the bytes: program and Cedar agree.
pub fn lower(bytes: &[u8]) {
    if let Err(difference) = compare::one_set(&mut Random::of_bytes(bytes)) {
        panic!("{difference}");
    }
}

/// A program as it comes, and a good one with bytes changed: pairs of a place, in two bytes, and a value. It is refused,
/// or it decides and ends.
pub fn program(bytes: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(good);
    decide(bytes);
    let mut changed = GOOD.clone();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
        changed[place] = change[2];
    }
    decide(&changed);
}

fn good() -> Vec<u8> {
    let set = PolicySet::from_str(POLICIES).unwrap();
    let actions = ["Action::\"read\"", "Action::\"list\""].map(|action| EntityUid::from_str(action).unwrap());
    Compiled::new(&set, &actions, &Entities::empty()).unwrap().program().body().write().unwrap()
}

fn decide(bytes: &[u8]) {
    let Ok(program) = Program::read(bytes) else { return };
    let id = TenantId::parse("acme").unwrap();
    let tenant = Tenant {
        id,
        tier: "gold".into(),
        status: TenantStatus::Active,
        residency: "eu".into(),
        cell: None,
        features: NameSet::default(),
        consents: NameSet::default(),
    };
    let roles = ["viewer".to_owned()];
    let facts = RequestFacts {
        tenant: &tenant,
        subject: "ann",
        roles: &roles,
        action: "read",
        resource_type: "Order",
        resource_id: Id::of_segment("4%32"),
        owner: &tenant,
        service: "spiffe://mesh.example/orders",
        attributes: partywall_tenancy::Attributes::none(),
        time: 0,
        networks: NameSet::none(),
        caller: "",
        scopes: &[],
    };
    let names = Names::of(&program);
    let Some(world) = RequestWorld::new(&facts, &names) else { return };
    let actions: Vec<_> = program.body().actions.iter().filter_map(|action| program.action(action.action)).collect();
    for action in actions {
        let (outcome, _) = program.decide(action, &world, &Scratch::default());
        let answer = program.answer(action, &world);
        // Nothing of a policy's tenant is checked but by the compiler, so the two need not say the same. Each has
        // something to show for what it says.
        assert!(!answer.allowed || !answer.determining.is_empty());
        if let Outcome::Permitted(policy) | Outcome::Forbidden(policy) = outcome {
            assert!(program.applicable(action).any(|applicable| applicable.id == policy.id));
        }
    }
}
