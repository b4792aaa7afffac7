//! Who there is, as a bundle says, for a redactor.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use partywall_log_redaction::tenants::{Directory, Known, Making, Tenant};
use partywall_tenancy::statement::TrustedKey;
use partywall_tenancy::{
    Audience, Bundle, BundleBody, FingerprintKeys, MeshId, Modes, NameSet, RoleKeys, Secrets, Source, Sources,
    TenantId, TenantStatus, Tenants,
};

const COUNT: u32 = 1200;

fn secrets() -> Secrets {
    let key = |nth: char| format!("{nth}:{}", format!("{nth}").repeat(42) + "A");
    Secrets::parse(&[key('2'), key('1')].join(",")).unwrap()
}

fn id(nth: u32) -> TenantId {
    TenantId::parse(&format!("tenant-{nth:05}")).unwrap()
}

fn bundle() -> Arc<Bundle> {
    let record = |nth| partywall_tenancy::Tenant {
        id: id(nth),
        tier: "gold".into(),
        status: TenantStatus::Active,
        residency: "eu".into(),
        cell: None,
        features: NameSet::default(),
        consents: NameSet::default(),
    };
    let host = |template: &str| Source::Host { template: template.into() };
    let key = SigningKey::from_bytes(&[1; 32]);
    let body = BundleBody {
        format: BundleBody::FORMAT,
        audience: Audience::Redaction,
        mesh: MeshId::parse("3f6c1e0a-52c4-4f0e-9c56-0d3f1a7f2b11").unwrap(),
        revision: 1,
        issued: 0,
        expires: 10,
        source_digest: [0; 32],
        trust_domain: "mesh.example".into(),
        stale_after: 300,
        approvals: 1,
        keys: RoleKeys::default(),
        grants: None,
        legacy_headers: vec![],
        sources: Sources {
            edge: vec![host("{tenant}.Shop.example"), host("x-{tenant}.eu.shop.test")],
            inbound: vec![],
        },
        api_keys: vec![],
        issuers: vec![],
        signers: vec![],
        gateways: vec![],
        cells: vec![],
        networks: vec![],
        tenants: Tenants::pack((0..COUNT).map(record)).unwrap(),
        services: vec![],
        modes: Modes::default(),
        shares: vec![],
        events: vec![],
        program: vec![],
        redaction: vec![],
    };
    let trusted = TrustedKey::new("b", key.verifying_key().as_bytes()).unwrap();
    Arc::new(Bundle::open(&body.sign(&[("b", &key)]).unwrap(), &[trusted]).unwrap())
}

fn known(step: usize) -> (Known, usize) {
    let mut making = Making::new(bundle(), &secrets());
    let mut steps = 1;
    while making.step(step) {
        steps += 1;
    }
    (making.finish(), steps)
}

#[test]
fn each_is_known_by_id_fingerprint_of_each_epoch_and_host() {
    let secrets = secrets();
    let keys: Vec<FingerprintKeys> = secrets.all().map(FingerprintKeys::with).collect();
    let (known, steps) = known(500);
    assert!((5..8).contains(&steps), "{steps} steps of 500 for {COUNT} tenants of two epochs");
    assert_eq!((known.labels(), known.hyphens()), (3..=4, 1));
    for nth in 0..COUNT {
        let (name, tenant) = (id(nth), Some(Tenant(nth)));
        let text = name.as_str();
        assert_eq!(known.by_id(text.as_bytes()), tenant);
        for keys in &keys {
            assert_eq!(known.by_fingerprint(keys.of(&name).as_bytes()), tenant);
        }
        assert_eq!(known.by_host(format!("{text}.shop.example").as_bytes()), tenant);
        assert_eq!(known.by_host(format!("x-{text}.eu.shop.test").as_bytes()), tenant);
        assert!(known.may_be_host(format!("{text}.SHOP.example").as_bytes()));
        assert_eq!(known.fingerprint(Tenant(nth)).as_deref(), Some(keys[0].of(&name).as_str()), "of this epoch");
        assert_eq!(known.id(Tenant(nth)), Some(text));
    }
}

#[test]
fn nobody_else_is() {
    let (known, _) = known(usize::MAX);
    for print in ["t2_0000000000000000", "t2_", "t3_0000000000000000", "t2_000000000000000", "t2_+000000000000000", ""]
    {
        assert_eq!(known.by_fingerprint(print.as_bytes()), None, "{print}");
    }
    for host in ["shop.example", ".shop.example", "nobody.shop.example", "tenant-00001.shop.test", "x-.eu.shop.test"] {
        assert_eq!(known.by_host(host.as_bytes()), None, "{host}");
    }
    assert!(!known.may_be_host(b"www.example.com"));
    assert_eq!((known.by_id(b"nobody"), known.by_id(b"\xff")), (None, None));
    assert_eq!((known.id(Tenant(COUNT)), known.fingerprint(Tenant(COUNT))), (None, None));
}
