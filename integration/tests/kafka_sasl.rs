//! Tenants by the user of SASL: the broker believes them, and then so does the filter.

use std::time::Duration;

use partywall_integration::kafka::{Brokers, Client, Listener, Options, Ran, Scoped, ScopedOptions};
use partywall_integration::wait;

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required user_acme.web=\"of-acme\" \
                     user_stranger=\"of-nobody\" user_other.web=\"of-other\";";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";

fn start(name: &str, more: &[(&str, &str)]) -> (Brokers, Scoped) {
    let jaas = |mechanism: &str| format!("listener.name.sasl.{mechanism}.sasl.jaas.config");
    let names = ["plain", "scram-sha-256", "scram-sha-512"].map(jaas);
    let mut properties = vec![
        ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
        (&*names[0], PLAIN),
        (&*names[1], SCRAM),
        (&*names[2], SCRAM),
    ];
    properties.extend(more);
    let brokers = Brokers::start(&Options {
        name,
        listeners: &[Listener { name: "SASL", protocol: "SASL_PLAINTEXT" }],
        properties: &properties,
        scram: &[
            "SCRAM-SHA-256=[name=globex.web,password=of-globex]",
            "SCRAM-SHA-512=[name=initech.web,password=of-initech]",
        ],
        ..Options::default()
    });
    let brokers = brokers.unwrap();
    let identity = "[{ user: \"{tenant}.{user}\" }]";
    let options = ScopedOptions { name, identity, plain: true, listener: 1, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    for tenant in ["acme", "globex", "initech"] {
        let topic = format!("{tenant}.orders");
        brokers.tool("TopicCommand", &["--create", "--topic", &topic]).unwrap().succeeds().unwrap();
    }
    (brokers, scoped)
}

/// How a client of librdkafka shows who it is. kcat's own, of 2022, cannot do SCRAM with this broker, whatever is between.
type User<'a> = (&'a str, &'a str, &'a str);

fn settings((mechanism, user, password): User<'_>) -> [String; 4] {
    [
        "security.protocol=sasl_plaintext".to_owned(),
        format!("sasl.mechanism={mechanism}"),
        format!("sasl.username={user}"),
        format!("sasl.password={password}"),
    ]
}

fn librdkafka(scoped: &Scoped, user: User<'_>, arguments: &[&str]) -> Ran {
    let (at, settings) = (scoped.bootstrap(), settings(user));
    let (verb, rest) = arguments.split_first().unwrap();
    let all = [&[*verb, &*at], rest].concat();
    let all: Vec<&str> = all.into_iter().chain(settings.iter().map(|one| &**one)).collect();
    Client::python_program("librdkafka").unwrap().run(&all, "").unwrap()
}

fn kcat(scoped: &Scoped, user: User<'_>, arguments: &[&str], input: &str) -> Ran {
    let (at, settings) = (scoped.bootstrap(), settings(user));
    let mut all = vec!["-b", &*at, "-m", "5"];
    settings.iter().for_each(|setting| all.extend(["-X", setting]));
    all.extend(arguments);
    Client::kcat().unwrap().run(&all, input).unwrap()
}

#[test]
fn each_mechanism_names_the_tenant_once_the_broker_believed_it() {
    let (_brokers, scoped) = start("kafka-sasl", &[]);
    let users = [
        ("PLAIN", "acme.web", "of-acme"),
        ("SCRAM-SHA-256", "globex.web", "of-globex"),
        ("SCRAM-SHA-512", "initech.web", "of-initech"),
    ];
    for user in users {
        let ran = librdkafka(&scoped, user, &["produce-as", "orders", &format!("by {}", user.1)]);
        ran.succeeds().unwrap_or_else(|error| panic!("{user:?}: {error:#}, {:?}", scoped.told()));
    }
    for user in users {
        let told = librdkafka(&scoped, user, &["consume", "orders", "1", "readers"]).succeeds().unwrap();
        assert_eq!(told.trim(), format!("by {}", user.1));
    }
    for (user, why) in [
        (("PLAIN", "acme.web", "of-globex"), "a wrong password"),
        (("SCRAM-SHA-256", "globex.web", "of-acme"), "a wrong password"),
        (("PLAIN", "stranger", "of-nobody"), "a user whom the broker knows, of no tenant"),
        (("PLAIN", "other.web", "of-other"), "a user of a tenant that the mesh does not know"),
    ] {
        let ran = kcat(&scoped, user, &["-L"], "");
        assert!(ran.status != Some(0) && !ran.told.contains("orders"), "{why}: {ran:?}");
    }
    // Nobody at all.
    let at = scoped.bootstrap();
    let ran = Client::kcat().unwrap().run(&["-b", &at, "-m", "5", "-L"], "").unwrap();
    assert!(ran.status != Some(0) && !ran.told.contains("orders"), "{ran:?}");
}

/// KIP-368: a broker asks its clients to show who they are again, on the connections that they have.
#[test]
fn who_authenticates_again_goes_on() {
    let (_brokers, scoped) = start("kafka-sasl-again", &[("connections.max.reauth.ms", "1500")]);
    let user = ("PLAIN", "acme.web", "of-acme");
    kcat(&scoped, user, &["-P", "-t", "orders"], "first\n").succeeds().unwrap();
    let jaas = "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
                username=\"acme.web\" password=\"of-acme\";";
    let settings = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", jaas];
    let at = scoped.bootstrap();
    let mut read = vec!["--bootstrap-server", &*at, "--topic", "orders", "--from-beginning", "--max-messages", "2"];
    read.extend(["--timeout-ms", "60000"]);
    settings.iter().for_each(|setting| read.extend(["--command-property", setting]));
    let reader = Client::tool("consumer.ConsoleConsumer").unwrap();
    std::thread::scope(|scope| {
        let told = scope.spawn(|| reader.run(&read, "").unwrap().succeeds().unwrap());
        let count = || scoped.envoy.metric("partywall_event_scope_connections_total", &[]).unwrap_or_default();
        wait::until(Duration::from_secs(30), || (count() > 2.0).then_some(())).expect("the reader comes");
        // Three times what a connection lasts without showing again who it is.
        std::thread::sleep(Duration::from_millis(4_500));
        let before = count();
        std::thread::sleep(Duration::from_millis(2_000));
        assert!(count() - before < 1.5, "the reader goes on by the connections that it has");
        kcat(&scoped, user, &["-P", "-t", "orders"], "second\n").succeeds().unwrap();
        let told = told.join().unwrap();
        assert_eq!(told.lines().collect::<Vec<_>>(), ["first", "second"]);
    });
    let ended = scoped.told().into_iter().filter(|line| line["decision"] == "end").collect::<Vec<_>>();
    assert!(ended.is_empty(), "{ended:?}");
}
