//! Partitions of one topic, some for each tenant: ordinary clients take theirs for a topic of its own, and are told what a
//! bare broker tells of one.

use std::fs;

use partywall_integration::kafka::{Brokers, Client, Options, Scoped, ScopedOptions};

/// Partitions of each of the two, of twelve.
const COUNT: &str = "4";
const PARTS: &str = "records,offsets,group,beyond";
/// All that may be done with a range.
const POLICY: &str = "@id(\"ranges\")\npermit (principal, action in [Action::\"events:produce\", \
                      Action::\"events:consume\", Action::\"events:describe\"], resource);\n";

fn lines(ran: &str) -> Vec<String> {
    ran.lines().map(str::to_owned).collect()
}

fn java(parts: &str, at: &str, mark: &str, settings: &[String]) -> Vec<String> {
    let mut arguments = vec![parts, at, "telemetry", COUNT, mark];
    arguments.extend(settings.iter().map(String::as_str));
    let ran = Client::java_program("Ranges").unwrap().run(&arguments, "").unwrap();
    lines(&ran.succeeds().unwrap_or_else(|error| panic!("{mark}: {error:#}")))
}

fn librdkafka(at: &str, mark: &str, settings: &[String]) -> Vec<String> {
    let mut arguments = vec![at, "telemetry", COUNT, mark];
    arguments.extend(settings.iter().map(String::as_str));
    let ran = Client::python_program("ranges_librdkafka").unwrap().run(&arguments, "").unwrap();
    lines(&ran.succeeds().unwrap_or_else(|error| panic!("{mark}: {error:#}")))
}

/// What a broker alone says that has no ranges, but for the last line: there, the newer protocol is told of.
fn but_last(told: &[String]) -> &[String] {
    told.split_last().expect("it says something").1
}

#[test]
fn clients_take_their_partitions_for_a_topic() {
    let brokers = Brokers::start(&Options { name: "kafka-ranges", ..Options::default() }).unwrap();
    for (topic, partitions) in [("telemetry", COUNT), ("telemetry-of-all", "12")] {
        brokers.tool("TopicCommand", &["--create", "--topic", topic, "--partitions", partitions]).unwrap();
    }
    // What is nobody's, in between and behind.
    for partition in ["4", "9", "10", "11"] {
        let to = ["-b", &*brokers.bootstrap(), "-P", "-t", "telemetry-of-all", "-p", partition];
        Client::kcat().unwrap().run(&to, "nobody's\n").unwrap().succeeds().unwrap();
    }
    let cluster = "    topics: [{ topic: telemetry, partitions: { topic: telemetry-of-all, of: 12, ranges: { acme: 0-3, \
                   globex: 5-8 } } }]\n";
    let options = ScopedOptions { name: "kafka-ranges", cluster, policy: POLICY, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    let (bare, at) = (brokers.bootstrap(), scoped.bootstrap());
    let java_settings = |tenant| {
        let file = fs::read_to_string(scoped.java(tenant).unwrap()).unwrap();
        lines(&file)
    };
    let told = |told: &[String]| told.iter().filter(|line| !line.starts_with("topics: ")).cloned().collect::<Vec<_>>();

    let alone = java(PARTS, &bare, "alone", &[]);
    assert!(alone.len() == 15, "{alone:#?}");
    let tenants = ["acme", "globex"];
    std::thread::scope(|scope| {
        let both = tenants.map(|tenant| {
            let (at, settings) = (&at, java_settings(tenant));
            (tenant, scope.spawn(move || java(PARTS, at, &format!("of-{tenant}"), &settings)))
        });
        for (tenant, lived) in both {
            let lived = lived.join().unwrap();
            assert_eq!(told(&lived), told(&alone), "{tenant}: {:#?}", scoped.told());
            assert!(lived.contains(&"topics: [telemetry]".to_owned()), "{lived:#?}");
        }
    });

    let alone = librdkafka(&bare, "alone", &[]);
    std::thread::scope(|scope| {
        let both = tenants.map(|tenant| {
            let (at, settings) = (&at, scoped.rdkafka(tenant).unwrap());
            (tenant, scope.spawn(move || librdkafka(at, &format!("of-{tenant}"), &settings)))
        });
        for (tenant, lived) in both {
            let lived = lived.join().unwrap();
            assert_eq!(told(but_last(&lived)), told(but_last(&alone)), "{tenant}: {:#?}", scoped.told());
            assert!(lived.contains(&"topics: ['telemetry']".to_owned()), "{lived:#?}");
            assert_eq!(lived.last().unwrap(), "the newer protocol: 0 records, 0 partitions", "{tenant}");
        }
    });
    let newer = java("newer", &at, "of-acme", &java_settings("acme"));
    assert_eq!(newer, ["the newer protocol: UnsupportedVersionException"]);

    // Kafka's own tools: what the group has, and where its partitions end.
    let of = ["--describe", "--group", "readers"];
    let told = scoped.tool("globex", "consumer.group.ConsumerGroupCommand", &of, "").unwrap().succeeds().unwrap();
    let mut rows: Vec<_> = told.lines().filter(|line| line.starts_with("readers ")).collect();
    rows.sort_unstable();
    let held: Vec<_> = rows.iter().map(|row| row.split_whitespace().skip(1).take(2).collect::<Vec<_>>()).collect();
    assert_eq!(held, ["0", "1", "2", "3"].map(|partition| vec!["telemetry", partition]), "{told}");
    let ends = scoped.tool("globex", "GetOffsetShell", &["--topic", "telemetry"], "").unwrap().succeeds().unwrap();
    let ends: Vec<_> = ends.lines().filter_map(|line| line.rsplit_once(':')).map(|(partition, _)| partition).collect();
    assert_eq!(ends, ["telemetry:0", "telemetry:1", "telemetry:2", "telemetry:3"]);

    // Who has no range sees no topic, and each partition of the broker has what was written there and nothing else.
    let listed = scoped.kcat("initech", &["-L"], "").unwrap().succeeds().unwrap();
    assert!(listed.contains(" 0 topics:"), "{listed}");
    let own = |tenant: &str, partition: i32| match (tenant, partition) {
        ("acme", 0..=3) | ("globex", 5..=8) => true,
        ("nobody", other) => other == 4 || other > 8,
        _ => false,
    };
    let format = ["-C", "-t", "telemetry-of-all", "-e", "-q", "-f", "%p %s\n"];
    let all = Client::kcat().unwrap().run(&[&["-b", &*bare], &format[..]].concat(), "").unwrap().succeeds().unwrap();
    for line in all.lines() {
        let (partition, record) = line.split_once(' ').unwrap();
        let whose = if record.starts_with("of-acme ") {
            "acme"
        } else if record.starts_with("of-globex ") {
            "globex"
        } else {
            "nobody"
        };
        assert!(own(whose, partition.parse().unwrap()), "{line}");
    }
    assert!(all.lines().count() > 4 + 2 * 280, "{}", all.lines().count());
}
