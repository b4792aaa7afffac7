//! What a proxy of Kafka's protocol costs: the same Produce and Fetch through Envoy's `tcp_proxy` alone, through it with a
//! module that does nothing, through ours and through Kroxylicious, in turn, before a broker that answers at once; then
//! before a real one. Each names its topic as clients did up to Kafka 3, and by its id as those of today do.

mod broker;
mod load;
mod proxies;
pub mod wire;

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Bound;
use super::figures::{Figure, Figures, median, quantile, summary};
use crate::kafka::{Brokers, Options};
use crate::site::Site;
use crate::{artefacts, wait};
use load::{Clients, Kind, id};
pub use proxies::{AT_BROKER, TOPIC};
use proxies::{Policy, Proxy, What};
use wire::{Api, Topic, records};

/// Records of a request or response.
struct Size {
    word: &'static str,
    bytes: usize,
    /// Of each connection, in a round.
    requests: usize,
    /// How many of them are under way at a time.
    window: usize,
}

const SIZES: [Size; 4] = [
    Size { word: "200 B", bytes: 200, requests: 250, window: 8 },
    Size { word: "1 KB", bytes: 1 << 10, requests: 250, window: 8 },
    Size { word: "64 KB", bytes: 64 << 10, requests: 50, window: 4 },
    Size { word: "1 MB", bytes: 1 << 20, requests: 4, window: 2 },
];
/// Connections that send at once.
const CONNECTIONS: usize = 4;
/// Requests of the rounds that nobody counts, by those of a round: V8 and Java compile what is used much.
const WARM_UP: usize = 40;
/// Requests of one connection alone in a round, for what a client waits; fewer of large ones.
const WAITS: usize = 100;
/// Connections that are held at a time, for what one takes: of the first, much finds room that a start left free.
const FIRST: usize = 1000;
const HELD: usize = 2000;

/// What was promised of ours: how often the CPU of `tcp_proxy`, how much of its throughput, and how often Kroxylicious
/// takes our CPU.
const MOST_CPU: f64 = 1.3;
const LEAST_RATE: f64 = 0.9;
const LEAST_OTHERS: f64 = 3.0;
/// How long a proxy may take until it has its bundle.
const PATIENCE: Duration = Duration::from_secs(30);

/// The site of this name, with a bundle for the cluster `bench` whose topics are all the tenant's own.
pub fn site(name: &str) -> Result<Site> {
    Policy::compile(name)
}

/// What requests call a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Name,
    Id,
}

impl By {
    /// Its word in names of figures.
    fn word(self) -> &'static str {
        match self {
            By::Name => "",
            By::Id => " by id",
        }
    }
}

/// A proxy, and connections to it over which topics are called so: what is said over one stays alike.
struct Driven {
    proxy: Rc<Proxy>,
    by: By,
    clients: Clients,
    alone: Clients,
}

impl Driven {
    fn is(&self) -> (What, By) {
        (self.proxy.what, self.by)
    }
}

/// The requests of a case, for whoever calls the topic as told.
type Kinds<'a> = dyn Fn(What, By) -> Kind + 'a;
/// A case, and what it gave of each.
type Case = (String, Vec<((What, By), Measured)>);

/// What the rounds gave of one case and proxy.
#[derive(Default)]
struct Measured {
    /// CPU of the proxy, in microseconds a request.
    cpu: Vec<f64>,
    /// The same where one request is under way at a time.
    alone: Vec<f64>,
    /// Requests a second.
    rate: Vec<f64>,
    /// What a client waits whose requests are alone, in microseconds; of all rounds.
    waits: Vec<f64>,
}

/// Measures so many rounds.
pub fn run(rounds: usize, progress: fn(&str)) -> Result<(Figures, Vec<Bound>)> {
    progress("a mesh's keys, a bundle for one cluster, the bundle server");
    let policy = Policy::serve()?;
    let mut kinds = vec![What::Alone, What::NoOp, What::Ours];
    match artefacts::kroxylicious() {
        Ok(_) => kinds.push(What::Kroxylicious),
        Err(_) => progress("without Kroxylicious: KROXYLICIOUS_JARS names no folder"),
    }
    let mut figures = Figures::default();
    let batches = SIZES.each_ref().map(|size| records(size.bytes));
    let null = broker::start(AT_BROKER, &batches)?;
    let mut driven = start(&kinds, &policy, null, &progress)?;
    let learned = learn(&driven, &|topic| topic.to_owned())?;
    let mut cases = Vec::new();
    for (size, batch) in SIZES.iter().zip(&batches) {
        for api in [Api::Produce, Api::Fetch] {
            progress(&format!("{} of {}, {rounds} rounds", api.word(), size.word));
            let kind = |what: What, by| match by {
                By::Name => Kind::new(api, Topic::Name(what.topic()), batch),
                By::Id => Kind::new(api, Topic::Id(learned), batch),
            };
            let measured = measure(&mut driven, size, rounds, &kind)?;
            tell(("", api, size), &measured, &mut figures);
            cases.push((format!("{}/{}", api.word(), size.word), measured));
        }
    }
    drop(driven);
    progress(&format!("{} connections to each", FIRST + HELD));
    for (what, held) in held(&kinds, &policy, null, &batches[1])? {
        let name = format!("memory/1000 connections/{}", what.word());
        figures.add(Figure { name, value: held, unit: "MB", spread: None, ratio_to: None });
    }
    match artefacts::kafka() {
        Ok(_) => cases.extend(real(&kinds, rounds, &policy, &progress, &mut figures)?),
        Err(_) => progress("without Apache Kafka: KAFKA_JARS names no folder"),
    }
    Ok((figures, bounds(&cases)))
}

fn start(kinds: &[What], policy: &Policy, broker: u16, progress: &dyn Fn(&str)) -> Result<Vec<Driven>> {
    let mut driven = Vec::new();
    for what in kinds {
        progress(&format!("start {}", what.word()));
        let proxy = Rc::new(started(*what, what.word(), policy, broker)?);
        for by in [By::Name, By::Id] {
            // To Kroxylicious an id is whatever its client says.
            if (*what, by) == (What::Kroxylicious, By::Id) {
                continue;
            }
            let clients = Clients::connect(proxy.address, CONNECTIONS)?;
            let alone = Clients::connect(proxy.address, 1)?;
            driven.push(Driven { proxy: Rc::clone(&proxy), by, clients, alone });
        }
    }
    driven.sort_by_key(|driven| driven.by == By::Id);
    Ok(driven)
}

/// The id of the topic that is called so, which each proxy hears, too.
fn learn(driven: &[Driven], called: &dyn Fn(&str) -> String) -> Result<[u8; 16]> {
    let by_id = driven.iter().filter(|driven| driven.by == By::Id);
    let ids = by_id.map(|driven| id(driven.proxy.address, &called(driven.proxy.what.topic())));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    let first = *ids.first().context("nobody asks by an id")?;
    ensure!(ids.iter().all(|id| *id == first), "one topic with several ids");
    Ok(first)
}

/// Starts one and waits until it serves.
fn started(what: What, name: &str, policy: &Policy, broker: u16) -> Result<Proxy> {
    let proxy = Proxy::start(what, name, policy, broker)?;
    let kind = Kind::new(Api::Produce, Topic::Name(what.topic()), &records(100));
    let mut last = None;
    let serves = wait::until(PATIENCE, || {
        last = Clients::greet(proxy.address, 1, &kind).err();
        last.is_none().then_some(())
    });
    serves.with_context(|| format!("{name} does not serve: {last:?}: {}", proxy.errors()))?;
    Ok(proxy)
}

/// One case, all proxies in turn.
fn measure(driven: &mut [Driven], size: &Size, rounds: usize, kind: &Kinds<'_>) -> Result<Vec<((What, By), Measured)>> {
    let mut all: Vec<_> = driven.iter().map(|driven| (driven.is(), Measured::default())).collect();
    for round in 0..=rounds {
        for (Driven { proxy, by, clients, alone }, (_, measured)) in driven.iter_mut().zip(&mut all) {
            let kind = kind(proxy.what, *by);
            let failed = |proxy: &Proxy| format!("{}: {}", proxy.what.word(), proxy.errors());
            if round == 0 {
                clients.drive(&kind, size.requests * WARM_UP, size.window).with_context(|| failed(proxy))?;
                alone.drive(&kind, WAITS, 1)?;
                continue;
            }
            let before = used(proxy)?;
            let took = clients.drive(&kind, size.requests, size.window).with_context(|| failed(proxy))?;
            let requests = (CONNECTIONS * size.requests) as f64;
            measured.cpu.push((used(proxy)? - before).as_secs_f64() * 1e6 / requests);
            measured.rate.push(requests / took.all.as_secs_f64());
            let before = used(proxy)?;
            let waits = alone.drive(&kind, WAITS.min(size.requests * 4), 1)?.each;
            measured.alone.push((used(proxy)? - before).as_secs_f64() * 1e6 / waits.len() as f64);
            measured.waits.extend(waits.iter().map(|wait| wait.as_secs_f64() * 1e6));
        }
    }
    Ok(all)
}

/// The kernel brings the figure up to date when a thread goes to sleep, a moment after its last answer.
fn used(proxy: &Proxy) -> Result<Duration> {
    thread::sleep(Duration::from_millis(2));
    proxy.cpu()
}

/// The figures of a case, each beside that of `tcp_proxy`.
fn tell((before, api, size): (&str, Api, &Size), measured: &[((What, By), Measured)], figures: &mut Figures) {
    let large = size.bytes >= 64 << 10;
    let megabytes = size.bytes as f64 / 1e6;
    type Of = fn(&Measured) -> &Vec<f64>;
    let told: [(&str, &'static str, f64, Of); 3] = [
        ("cpu", "us/request", 1.0, |m| &m.cpu),
        ("cpu alone", "us/request", 1.0, |m| &m.alone),
        ("rate", if large { "MB/s" } else { "requests/s" }, if large { megabytes } else { 1.0 }, |m| &m.rate),
    ];
    for by in [By::Name, By::Id] {
        let measured: Vec<_> = measured.iter().filter(|((_, of), _)| *of == by).collect();
        let Some((_, bare)) = measured.first() else { continue };
        let name = format!("{before}{}{}/{}", api.word(), by.word(), size.word);
        let named = |what: &str, kind: What| format!("{what}/{name}/{}", kind.word());
        let to = |kind: What, ratio: f64| (kind != What::Alone).then(|| ("tcp_proxy".to_owned(), ratio));
        for (what, unit, times, of) in told {
            for ((kind, _), measured) in &measured {
                let values: Vec<f64> = of(measured).iter().map(|value| value * times).collect();
                let (value, spread) = summary(&values);
                let ratio_to = to(*kind, ratio(of(measured), of(bare)));
                figures.add(Figure { name: named(what, *kind), value, unit, spread: Some(spread), ratio_to });
            }
        }
        for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
            for ((kind, _), measured) in &measured {
                let value = quantile(&measured.waits, share);
                let ratio_to = to(*kind, value / quantile(&bare.waits, share));
                figures.add(Figure { name: named(what, *kind), value, unit: "us", spread: None, ratio_to });
            }
        }
    }
}

/// The median of what one is to the other in the same round.
fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(&of.iter().zip(to).map(|(of, to)| of / to).collect::<Vec<_>>())
}

/// By how much each grows with a thousand connections more, each of which has sent a request, in megabytes.
fn held(kinds: &[What], policy: &Policy, broker: u16, batch: &[u8]) -> Result<Vec<(What, f64)>> {
    let mut grown = Vec::new();
    for what in kinds {
        let proxy = started(*what, &format!("{}-held", what.word()), policy, broker)?;
        let kind = Kind::new(Api::Produce, Topic::Name(what.topic()), batch);
        let greet = |count| Clients::greet(proxy.address, count, &kind).with_context(|| proxy.errors());
        let _first = greet(FIRST)?;
        let before = proxy.resident()?;
        let _all = greet(HELD)?;
        grown.push((*what, (proxy.resident()? as f64 - before as f64) / 1e6 * 1000.0 / HELD as f64));
    }
    Ok(grown)
}

/// What is asked of a broker that keeps what it gets: less, since it writes all of it to disk.
const OF_A_BROKER: [Size; 3] = [
    Size { word: "200 B", bytes: 200, requests: 100, window: 8 },
    Size { word: "1 KB", bytes: 1 << 10, requests: 100, window: 8 },
    Size { word: "64 KB", bytes: 64 << 10, requests: 25, window: 4 },
];

/// The same before one broker of Apache Kafka.
fn real(
    kinds: &[What],
    rounds: usize,
    policy: &Policy,
    progress: &dyn Fn(&str),
    figures: &mut Figures,
) -> Result<Vec<Case>> {
    progress("a broker of Apache Kafka");
    let brokers = Brokers::start(&Options { name: "bench", ..Options::default() })?;
    let create = |topic: &str| {
        // Its records are of 1970, and would soon be too old to be kept.
        let kept = ["--partitions", "1", "--config", "retention.ms=-1"];
        brokers.tool("TopicCommand", &[&["--create", "--topic", topic], &kept[..]].concat())?.succeeds()
    };
    create(AT_BROKER)?;
    let mut driven = start(kinds, policy, brokers.port(0, 0), progress)?;
    let mut cases = Vec::new();
    for size in &OF_A_BROKER {
        // A topic of its own: what is fetched is the first batch that was produced.
        let called = |topic: &str| format!("{topic}.{}", size.bytes);
        create(&called(AT_BROKER))?;
        let learned = learn(&driven, &called)?;
        let batch = records(size.bytes);
        for api in [Api::Produce, Api::Fetch] {
            progress(&format!("{} of {} before Apache Kafka, {rounds} rounds", api.word(), size.word));
            let kind = |what: What, by| match by {
                By::Name => Kind::new(api, Topic::Name(&called(what.topic())), &batch),
                By::Id => Kind::new(api, Topic::Id(learned), &batch),
            };
            let measured = measure(&mut driven, size, rounds, &kind)?;
            tell(("kafka/", api, size), &measured, figures);
            cases.push((format!("kafka/{}/{}", api.word(), size.word), measured));
        }
    }
    Ok(cases)
}

/// What is to hold, where it was measured.
fn bounds(cases: &[Case]) -> Vec<Bound> {
    let mut bounds = Vec::new();
    type Is = (What, By);
    let ratio_of = |case: &str, is: Is, to: Is, of: fn(&Measured) -> &Vec<f64>| -> Option<f64> {
        let (_, measured) = cases.iter().find(|(name, _)| name == case)?;
        let at = |wanted| measured.iter().find(|(is, _)| *is == wanted).map(|(_, measured)| of(measured));
        Some(ratio(at(is)?, at(to)?))
    };
    for api in [Api::Produce, Api::Fetch] {
        for by in [By::Name, By::Id] {
            let (ours, bare) = ((What::Ours, by), (What::Alone, by));
            let called = format!("{}{}", api.word(), by.word());
            if let Some(times) = ratio_of(&format!("{}/1 KB", api.word()), ours, bare, |m| &m.cpu) {
                let what = format!("{called}/1 KB: {times:.2} times the CPU of tcp_proxy, at most {MOST_CPU}");
                bounds.push(Bound { what, kept: times <= MOST_CPU });
            }
            if let Some(times) = ratio_of(&format!("{}/64 KB", api.word()), ours, bare, |m| &m.rate) {
                let what =
                    format!("{called}/64 KB: {times:.2} times the throughput of tcp_proxy, at least {LEAST_RATE}");
                bounds.push(Bound { what, kept: times >= LEAST_RATE });
            }
        }
    }
    for size in &SIZES {
        for api in [Api::Produce, Api::Fetch] {
            let case = format!("{}/{}", api.word(), size.word);
            for by in [By::Name, By::Id] {
                let others = (What::Kroxylicious, By::Name);
                if let Some(times) = ratio_of(&case, others, (What::Ours, by), |m| &m.cpu) {
                    let what = format!(
                        "{case}: Kroxylicious takes {times:.1} times our CPU{}, to be {LEAST_OTHERS} times",
                        by.word()
                    );
                    bounds.push(Bound { what, kept: times >= LEAST_OTHERS });
                }
            }
        }
    }
    bounds
}
