//! `partywall init`, and the verbs that change what it made: a tenant from its first day to its last.

mod support;

use std::fs;

use support::{folder, keys, partywall, path};

#[test]
fn what_it_makes_is_checked_tested_and_compiled() {
    let here = folder("init");
    let tenancy = here.join("tenancy");
    partywall(&["init", path(&tenancy)]).succeeds().says("partywall keys new keys").says(".schemas");
    let keys = keys(&here);
    let ran = partywall(&["check", path(&tenancy), "--keys", path(&keys)]).succeeds();
    assert!(ran.stdout().contains(" 0 errors, "), "{}", ran.stdout());
    partywall(&["test", path(&tenancy)]).succeeds();
    partywall(&["compile", path(&tenancy), "--keys", path(&keys), "--out", path(&here.join("served"))]).succeeds();
    for name in ["mesh.yaml", "tenants/acme.yaml", "services/orders.yaml", "profiles/gold.yaml", "cases/readers.yaml"] {
        let text = fs::read_to_string(tenancy.join(name)).unwrap();
        let hint = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema = tenancy.join(name).parent().unwrap().join(hint);
        assert!(schema.is_file(), "{name} names {}", schema.display());
    }
}

#[test]
fn each_mesh_has_an_id_of_its_own_and_nothing_is_overwritten() {
    let here = folder("init-twice");
    let mesh = |name: &str| {
        partywall(&["init", path(&here.join(name))]).succeeds();
        let text = fs::read_to_string(here.join(name).join("mesh.yaml")).unwrap();
        text.lines().find(|line| line.starts_with("mesh: ")).unwrap().to_owned()
    };
    assert_ne!(mesh("a"), mesh("b"));
    partywall(&["init", path(&here.join("a"))]).ends_with(3).says("holds something already").says("help:");
}

#[test]
fn a_tenant_comes_consents_and_goes_for_good() {
    let tenancy = folder("init-tenant").join("tenancy");
    let at = path(&tenancy).to_owned();
    partywall(&["init", &at]).succeeds();
    partywall(&["tenant", "add", "hooli", "--tier", "gold", "--residency", "eu", "--tenancy", &at]).succeeds();
    let ran = partywall(&["explain", &at, "--settings", "hooli"]).succeeds();
    ran.says("residency  eu                           record").says("features   export                       profile");
    // Without a profile nobody says where its data lives, and nothing is left behind.
    partywall(&["tenant", "add", "umbrella", "--tier", "tin", "--tenancy", &at]).ends_with(3).says("needs `residency`");
    assert!(!tenancy.join("tenants/umbrella.yaml").exists());
    partywall(&["tenant", "add", "umbrella", "--tier", "tin", "--residency", "123", "--tenancy", &at]).succeeds();
    partywall(&["tenant", "add", "hooli", "--tier", "gold", "--tenancy", &at]).ends_with(3).says("is a tenant already");

    let file = tenancy.join("tenants/hooli.yaml");
    fs::write(
        &file,
        fs::read_to_string(&file).unwrap() + "# agreed by mail\nconsents:\n  - mail\ncohort: early # one\n",
    )
    .unwrap();
    let consent = |what: &str, name: &str| partywall(&["consent", what, "hooli", name, "--tenancy", &at]).succeeds();
    consent("give", "analytics").says("the record of hooli gives `analytics`; it counts after the next");
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("# agreed by mail\nconsents: [analytics, mail]\ncohort: early # one\n")
    );
    consent("give", "mail").says("nothing was changed");
    consent("withdraw", "mail");
    consent("withdraw", "analytics");
    assert!(fs::read_to_string(&file).unwrap().contains("consents: []\n"));
    partywall(&["consent", "give", "hooly", "x", "--tenancy", &at]).ends_with(3).says("did you mean `hooli`?");
    partywall(&["consent", "give", "hooli", "A b", "--tenancy", &at]).ends_with(2);

    partywall(&["tenant", "offboard", "hooli", "--tenancy", &at]).succeeds();
    assert!(!file.exists());
    partywall(&["tenant", "add", "hooli", "--tier", "gold", "--tenancy", &at]).ends_with(3).says("was a tenant once");
    partywall(&["check", &at]).succeeds();
    // One of many in a file leaves the others where they are.
    let lines = "{\"tenant\":\"soylent\",\"tier\":\"gold\",\"status\":\"active\",\"residency\":\"eu\"}\n{\"tenant\":\"tyrell\",\"tier\":\"gold\",\"status\":\"active\",\"residency\":\"eu\"}\n";
    fs::write(tenancy.join("tenants/more.ndjson"), lines).unwrap();
    partywall(&["explain", &at, "--settings", "tyrell"]).succeeds().says("profile");
    partywall(&["tenant", "offboard", "soylent", "--tenancy", &at]).succeeds();
    assert_eq!(
        fs::read_to_string(tenancy.join("tenants/more.ndjson")).unwrap(),
        lines.lines().nth(1).unwrap().to_owned() + "\n"
    );
    partywall(&["consent", "give", "tyrell", "mail", "--tenancy", &at]).ends_with(3).says("nothing was changed");
    assert_eq!(fs::read_to_string(tenancy.join("tenants/more.ndjson")).unwrap().lines().count(), 1);

    // What still names one that left is told.
    partywall(&["tenant", "offboard", "acme", "--tenancy", &at])
        .ends_with(1)
        .says("mesh.yaml:")
        .says("there is no tenant `acme`");
    let list = fs::read_to_string(tenancy.join("tenants/retired.yaml")).unwrap();
    assert!(list.contains("tenant: hooli") && list.contains("tenant: acme"), "{list}");
}
