//! Whether anything of one tenant reaches another.

use std::sync::Arc;

use partywall_integration::kafka::leak::{Dial, Ranged, Report, Run, Tenant};
use partywall_integration::kafka::{Brokers, Options, Scoped, ScopedOptions};
use partywall_integration::ports::local;
use partywall_integration::raw;

/// How many records are written, all in all; the long run writes a million (`cargo xtask leaks`).
const RECORDS: usize = 20_000;
/// What stands in nothing but what is of one tenant. The last one has a prefix of its own.
const MARKS: [&str; 8] = ["zqaqz", "zqbqz", "zqcqz", "zqdqz", "zqeqz", "zqfqz", "zqgqz", "zqhqz"];

fn tenant(mark: &str) -> Tenant {
    let id = format!("{mark}-co");
    Tenant { prefix: format!("{id}."), id, mark: mark.to_owned(), ranged: None }
}

fn records() -> usize {
    std::env::var("LEAK_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(RECORDS)
}

/// Each comes in by a certificate of its own.
fn run(scoped: &Scoped, tenants: Vec<Tenant>, records: usize) -> Report {
    let to = local(scoped.port);
    let dials = tenants.into_iter().map(|tenant| {
        let identity = scoped.client(&tenant.id).unwrap();
        let dial: Dial = Arc::new(move |patience| raw::dial(to, Some(&identity), patience));
        (tenant, dial)
    });
    let progress = |written: u64, of: usize| println!("{written} of {of} records written");
    let run = Run {
        tenants: dials.collect(),
        records,
        batch: records.div_ceil(500).clamp(40, 500),
        seed: 7,
        progress: Some(progress),
    };
    let report = run.run().unwrap_or_else(|error| panic!("{error:#}\n{:#?}", scoped.told()));
    println!("{report}");
    report
}

#[test]
fn of_eight_tenants_none_gets_a_mark_of_another() {
    let tenants: Vec<Tenant> = MARKS.iter().map(|mark| tenant(mark)).collect();
    let ids: Vec<&str> = tenants.iter().map(|tenant| &*tenant.id).collect();
    let brokers = Brokers::start(&Options { name: "leaks", ..Options::default() }).unwrap();
    let cluster = "    prefixes: { zqhqz-co: \"legacy-zqhqz.\" }\n    new_topics: { partitions: 12 }\n    topics: [{ topic: \"*\" }]\n";
    let options = ScopedOptions { name: "leaks", tenants: &ids, cluster, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    let mut tenants = tenants.clone();
    if let Some(last) = tenants.last_mut() {
        last.prefix = "legacy-zqhqz.".into();
    }
    let records = records();
    let report = run(&scoped, tenants, records);
    assert!(report.found.is_empty() && report.wrong.is_empty(), "{report}");
    assert!(report.written as usize >= records && report.read >= report.written, "{report}");
    assert!(report.asked.len() > 30 && report.hostile > 100, "{report}");
}

/// Ranges of one topic: what others write beside it is neither read nor counted.
#[test]
fn tenants_that_share_a_topic_by_partitions_see_their_own() {
    let mut tenants: Vec<Tenant> = MARKS[..3].iter().map(|mark| tenant(mark)).collect();
    for (tenant, partitions) in tenants.iter_mut().zip([3, 5, 2]) {
        tenant.ranged = Some(Ranged { name: "telemetry".into(), partitions });
    }
    let ids: Vec<&str> = tenants.iter().map(|tenant| &*tenant.id).collect();
    let brokers = Brokers::start(&Options { name: "leaks-ranges", ..Options::default() }).unwrap();
    let create = ["--create", "--topic", "telemetry-of-all", "--partitions", "12"];
    brokers.tool("TopicCommand", &create).unwrap().succeeds().unwrap();
    let ranges = "zqaqz-co: 0-2, zqbqz-co: 4-8, zqcqz-co: 10-11";
    let cluster = format!(
        "    new_topics: {{ partitions: 12 }}\n    topics: [{{ topic: \"*\" }}, {{ topic: telemetry, partitions: {{ topic: telemetry-of-all, of: 12, ranges: {{ \
         {ranges} }} }} }}]\n"
    );
    let options = ScopedOptions { name: "leaks-ranges", tenants: &ids, cluster: &cluster, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    let report = run(&scoped, tenants.clone(), 3_000);
    assert!(report.found.is_empty() && report.wrong.is_empty(), "{report}");
}

/// What the runs above are worth: a tenant alone is told nothing wrong, and of two that nothing parts each learns of the other.
#[test]
fn with_nothing_between_them_it_is_found() {
    let brokers = Brokers::start(&Options { name: "leaks-open", ..Options::default() }).unwrap();
    let to = local(brokers.port(0, 0));
    let dial: Dial = Arc::new(move |patience| raw::dial(to, None, patience));
    let run = |names: &[&str], records| {
        let tenants = names.iter().map(|name| (tenant(name), dial.clone())).collect();
        Run { tenants, records, batch: 10, seed: 1, progress: None }.run()
    };
    let alone = run(&["alone"], 1_000).unwrap();
    println!("{alone}");
    assert_eq!((alone.found.len(), alone.wrong.len(), alone.written), (0, 0, 1_000), "{alone}");
    assert!(alone.asked.len() > 20 && alone.read > 1_000, "{alone}");
    // Either goes on, with what is another's in what it reads, or gives up where nothing is as it wrote it.
    match run(&["one", "two"], 200) {
        Ok(both) => assert!(!both.found.is_empty() && !both.wrong.is_empty(), "{both}"),
        Err(error) => assert!(format!("{error:#}").contains("too much goes wrong"), "{error:#}"),
    }
}
