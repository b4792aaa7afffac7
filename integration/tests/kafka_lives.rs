//! A tenant's day with Kafka's own client: what a broker tells a client that is alone, the filter tells each of two at once.

use std::fs;

use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions};

/// All parts of the day, in an order in which one does not see what another left.
const DAY: &str = "topics,records,transactions,classic,consumer,patterns,share,compacted";

/// One day; what came of it, line by line.
fn day(parts: &str, bootstrap: &str, mark: &str, settings: &[String]) -> Vec<String> {
    let mut arguments = vec![parts, bootstrap, mark];
    arguments.extend(settings.iter().map(String::as_str));
    let ran = Client::java_program("Life").unwrap().run(&arguments, "").unwrap();
    let told = ran.succeeds().unwrap_or_else(|error| panic!("{mark}: {error:#}"));
    told.lines().map(str::to_owned).collect()
}

/// Settings of Kafka's client by which it shows the certificate of `tenant`.
fn settings(scoped: &Scoped, tenant: &str) -> Vec<String> {
    let file = fs::read_to_string(scoped.java(tenant).unwrap()).unwrap();
    file.lines().map(str::to_owned).collect()
}

#[test]
fn two_at_once_live_as_one_that_is_alone() {
    let brokers = Brokers::start(&Options { name: "kafka-lives", ..Options::default() }).unwrap();
    let alone = day(DAY, &brokers.bootstrap(), "mark-of-nobody", &[]);
    assert!(alone.len() > 70, "{alone:#?}");

    let scoped = Scoped::start(&ScopedOptions { name: "kafka-lives", ..ScopedOptions::default() }, &brokers).unwrap();
    let at = scoped.bootstrap();
    let tenants = ["acme", "globex"].map(|tenant| (tenant, settings(&scoped, tenant)));
    std::thread::scope(|scope| {
        let days = tenants.each_ref().map(|(tenant, settings)| {
            let at = &at;
            (*tenant, scope.spawn(move || day(DAY, at, &format!("mark-of-{tenant}"), settings)))
        });
        for (tenant, lived) in days {
            let lived = lived.join().unwrap();
            for (line, wanted) in lived.iter().zip(&alone) {
                assert_eq!(line, wanted, "{tenant}, whose day was {lived:#?}\nand {:#?}", scoped.told());
            }
            assert_eq!(lived.len(), alone.len(), "{tenant}");
        }
    });
    let topics = brokers.tool("TopicCommand", &["--list"]).unwrap().succeeds().unwrap();
    let of = |prefix: &str| topics.lines().filter_map(|name| name.strip_prefix(prefix)).collect::<Vec<_>>();
    assert_eq!(of("acme."), of("globex."));
    assert!(of("acme.").len() > 8, "{topics}");
}
