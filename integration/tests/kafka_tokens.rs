//! Tenants by the token of SASL OAUTHBEARER: the broker believes whoever signs for it, the filter only what the mesh says of
//! each issuer.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use partywall_integration::kafka::recorder::Recorder;
use partywall_integration::kafka::wire::Wire;
use partywall_integration::kafka::{Brokers, Client, Listener, Options, Ran, Scoped, ScopedOptions};
use partywall_integration::ports::local;
use partywall_integration::variant::OwnIssuer;
use partywall_integration::{artefacts, raw, wait};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
/// By how much clocks may differ, to the filter.
const SKEW: u64 = 30;
/// The same to the broker, which so believes tokens that ran out.
const SKEW_OF_BROKER: &str = "7200";

/// Issuers that the broker knows all, and of the mesh two.
struct Issuers {
    /// For every tenant.
    all: OwnIssuer,
    /// For acme and no other.
    of_acme: OwnIssuer,
    /// Nobody's.
    stranger: OwnIssuer,
}

struct Setup {
    issuers: Issuers,
    brokers: Brokers,
    scoped: Scoped,
    folder: PathBuf,
}

fn start(name: &str, more: &[(&str, &str)]) -> Setup {
    let issuer = |id: &str| OwnIssuer::make(&format!("https://{id}.example"), id);
    let issuers = Issuers { all: issuer("all"), of_acme: issuer("of-acme"), stranger: issuer("stranger") };
    let folder = artefacts::target().join("kafka").join(format!("{name}-tokens"));
    fs::create_dir_all(&folder).unwrap();
    let keys = [&issuers.all, &issuers.of_acme, &issuers.stranger].map(|issuer| {
        let set: Value = serde_json::from_str(&issuer.key_set().unwrap()).unwrap();
        set["keys"][0].clone()
    });
    let file = folder.join("jwks.json");
    fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    let url = format!("file://{}", file.display());
    const OF: &str = "listener.name.sasl.oauthbearer.sasl";
    let names = ["jaas.config", "server.callback.handler.class"].map(|name| format!("{OF}.{name}"));
    let mut properties = vec![
        ("sasl.enabled.mechanisms", "OAUTHBEARER"),
        (&*names[0], "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"),
        (&*names[1], "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"),
        ("sasl.oauthbearer.jwks.endpoint.url", &*url),
        ("sasl.oauthbearer.expected.audience", "shop"),
        ("sasl.oauthbearer.allow.unverified.issuer", "true"),
        ("sasl.oauthbearer.clock.skew.seconds", SKEW_OF_BROKER),
    ];
    properties.extend(more);
    let allowed = format!("org.apache.kafka.sasl.oauthbearer.allowed.urls={url}");
    let brokers = Brokers::start(&Options {
        name,
        listeners: &[Listener { name: "SASL", protocol: "SASL_PLAINTEXT" }],
        properties: &properties,
        system: &[&allowed],
        ..Options::default()
    });
    let brokers = brokers.unwrap();
    let entries = entry(&issuers.all) + &entry(&issuers.of_acme).replace("tenants: all", "tenants: [acme]");
    let options = ScopedOptions {
        name,
        identity: "[token]",
        plain: true,
        listener: 1,
        issuers: &entries,
        ..ScopedOptions::default()
    };
    let scoped = Scoped::start(&options, &brokers).unwrap();
    for topic in ["acme.orders", "globex.orders"] {
        brokers.tool("TopicCommand", &["--create", "--topic", topic]).unwrap().succeeds().unwrap();
        let to = ["-b", &*brokers.bootstrap(), "-P", "-t", topic];
        Client::kcat().unwrap().run(&to, &format!("of {topic}\n")).unwrap().succeeds().unwrap();
    }
    Setup { issuers, brokers, scoped, folder }
}

impl Setup {
    /// librdkafka with a token, at the proxy or else at the broker itself.
    fn librdkafka(&self, port: u16, token: &str, verb: &str, topic: &str, what: &str) -> Ran {
        let file = self.folder.join("token.jwt");
        fs::write(&file, token).unwrap();
        let (at, file) = (local(port).to_string(), file.display().to_string());
        Client::python_program("token_librdkafka").unwrap().run(&[verb, &at, topic, &file, what], "").unwrap()
    }

    /// Settings of Kafka's own client, and the property without which it opens no file.
    fn java(&self, token: &str) -> (Vec<String>, String) {
        let file = self.folder.join("java.jwt");
        fs::write(&file, token).unwrap();
        let url = format!("file://{}", file.display());
        let settings = [
            "security.protocol=SASL_PLAINTEXT",
            "sasl.mechanism=OAUTHBEARER",
            "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
            "sasl.login.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
        ];
        let settings = settings.map(str::to_owned).into_iter();
        (settings.chain([format!("sasl.oauthbearer.token.endpoint.url={url}")]).collect(), url)
    }

    fn ended(&self) -> Vec<String> {
        ended(&self.scoped)
    }
}

/// A connection by hand.
fn wire(port: u16) -> Wire {
    Wire::over(raw::dial(local(port), None, PATIENCE).unwrap(), "by-hand")
}

fn ended(scoped: &Scoped) -> Vec<String> {
    let told = scoped.told();
    told.iter().filter(|line| line["decision"] == "end").map(|line| line["reason"].to_string()).collect()
}

fn entry(issuer: &OwnIssuer) -> String {
    issuer.entry_with(&issuer.key_set().unwrap())
}

/// Shows a token on a connection; the error of SASL, or none where the connection ends.
fn shows(wire: &mut Wire, token: &str) -> Option<i16> {
    let shake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("OAUTHBEARER"));
    let shaken = wire.ask(1, &shake).ok()?.message.unwrap();
    assert_eq!(shaken.error_code, 0);
    let said = format!("n,,\x01auth=Bearer {token}\x01\x01");
    let authenticate = SaslAuthenticateRequest::default().with_auth_bytes(said.into_bytes().into());
    Some(wire.ask(2, &authenticate).ok()?.message.unwrap().error_code)
}

#[test]
fn a_token_names_the_tenant_where_the_mesh_lets_its_issuer() {
    let setup = start("kafka-tokens", &[]);
    let (port, issuers) = (setup.scoped.port, &setup.issuers);
    let (acme, globex) = (json!("acme"), json!("globex"));
    let of_acme = issuers.of_acme.token(&acme).unwrap();
    let of_globex = issuers.all.token(&globex).unwrap();
    for (token, tenant) in [(&of_acme, "acme"), (&of_globex, "globex")] {
        let record = format!("by {tenant}'s librdkafka");
        setup.librdkafka(port, token, "produce", "orders", &record).succeeds().unwrap();
        let told = setup.librdkafka(port, token, "consume", "orders", "2").succeeds().unwrap();
        assert_eq!(told, format!("of {tenant}.orders\n{record}\n"), "{tenant}");
    }
    let (settings, url) = setup.java(&of_acme);
    let at = local(port).to_string();
    let mut read = vec!["--bootstrap-server", &*at, "--topic", "orders", "--from-beginning", "--max-messages", "2"];
    read.extend(["--timeout-ms", "20000"]);
    settings.iter().for_each(|setting| read.extend(["--command-property", setting]));
    let allowed = "org.apache.kafka.sasl.oauthbearer.allowed.urls";
    let java = Client::tool("consumer.ConsoleConsumer").unwrap().property(allowed, &url);
    let told = java.run(&read, "").unwrap().succeeds().unwrap();
    assert_eq!(told, "of acme.orders\nby acme's librdkafka\n");

    // Each of these the broker believes, and the filter does not.
    let beyond = issuers.of_acme.token(&globex).unwrap();
    let strange = issuers.stranger.token(&acme).unwrap();
    let old = issuers.all.aged(&acme, 3_600, 600).unwrap();
    let unknown = issuers.all.token(&json!("nobody")).unwrap();
    let both = issuers.all.token(&json!(["acme", "globex"])).unwrap();
    for (token, why) in [
        (beyond, "its issuer may not name this tenant"),
        (strange, "its issuer is none of the mesh"),
        (old, "it ran out an hour ago"),
        (unknown, "there is no such tenant"),
        (both, "it names two"),
    ] {
        assert_eq!(shows(&mut wire(setup.brokers.port(0, 1)), &token), Some(0), "{why}");
        let before = setup.ended().len();
        let mut wire = wire(setup.scoped.port);
        let shown = shows(&mut wire, &token);
        assert_ne!(shown, Some(0), "{why}");
        assert_eq!(wire.topics(), None, "{why}");
        assert!(setup.ended().len() > before, "{why}: {:?}", setup.scoped.told());
    }
    // And this one neither: a letter of what was signed, and of the signature.
    let parts: Vec<&str> = of_acme.split('.').collect();
    for part in [1, 2] {
        let middle = parts[part].len() / 2;
        let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let other = if &parts[part][middle..=middle] == "A" { "B" } else { "A" };
        changed[part].replace_range(middle..=middle, other);
        let mut wire = wire(setup.scoped.port);
        assert_ne!(shows(&mut wire, &changed.join(".")), Some(0));
        assert_eq!(wire.topics(), None);
    }
    let ran = setup.librdkafka(port, &issuers.all.aged(&acme, 3_600, 600).unwrap(), "produce", "orders", "late");
    assert!(ran.status == Some(1), "{ran:?}");
    println!("librdkafka is told: {}\nended: {:?}", ran.errors, setup.ended());
    // A right one goes on all the same.
    let mut wire = wire(setup.scoped.port);
    assert_eq!((shows(&mut wire, &of_acme), wire.topics()), (Some(0), Some(vec!["orders".into()])));
}

/// KIP-368: a broker ends the connection of a token that ran out, and who shows another in time goes on.
#[test]
fn who_shows_another_token_in_time_goes_on() {
    let setup = start("kafka-tokens-again", &[]);
    let (acme, globex) = (json!("acme"), json!("globex"));
    let (issuers, port) = (&setup.issuers, setup.scoped.port);
    let lasts = 6;
    let short = issuers.all.aged(&acme, 0, lasts).unwrap();
    let begun = Instant::now();
    let (mut idle, mut again) = (wire(port), wire(port));
    for wire in [&mut idle, &mut again] {
        assert_eq!(shows(wire, &short), Some(0), "{:?}", setup.scoped.told());
        assert_eq!(wire.topics(), Some(vec!["orders".into()]), "{:?}", setup.scoped.told());
    }
    assert_eq!(shows(&mut again, &issuers.all.token(&acme).unwrap()), Some(0), "who shows another in time");
    let over = wait::until(PATIENCE, || idle.topics().is_none().then(|| begun.elapsed())).expect("it ends");
    assert!((Duration::from_secs(lasts - 2)..Duration::from_secs(lasts + 4)).contains(&over), "after {over:?}");
    assert_eq!(again.topics(), Some(vec!["orders".into()]), "goes on");
    assert!(setup.ended().is_empty(), "{:?}", setup.ended());
    reads_on(&setup, lasts);
    assert!(setup.ended().is_empty(), "{:?}", setup.ended());
    // One connection is one tenant.
    let shown = shows(&mut again, &issuers.all.token(&globex).unwrap());
    assert!(shown != Some(0) && again.topics().is_none(), "{shown:?}");
    assert_eq!(setup.ended(), ["\"tenant_conflict\""]);
}

/// Kafka's own client, whose tokens last so long: it fetches others, and shows them on the connections that it has.
fn reads_on(setup: &Setup, lasts: u64) {
    let acme = json!("acme");
    let fresh = || setup.issuers.all.aged(&acme, 0, lasts).unwrap();
    let (mut settings, url) = setup.java(&fresh());
    for waits in ["min.period", "buffer"] {
        settings.push(format!("sasl.login.refresh.{waits}.seconds=0"));
    }
    let at = local(setup.scoped.port).to_string();
    let mut read = vec!["--bootstrap-server", &*at, "--topic", "orders", "--from-beginning", "--max-messages", "2"];
    read.extend(["--timeout-ms", "60000"]);
    settings.iter().for_each(|setting| read.extend(["--command-property", setting]));
    let reader = Client::tool("consumer.ConsoleConsumer").unwrap();
    let reader = reader.property("org.apache.kafka.sasl.oauthbearer.allowed.urls", &url);
    std::thread::scope(|scope| {
        let told = scope.spawn(|| reader.run(&read, "").unwrap().succeeds().unwrap());
        let count = || setup.scoped.envoy.metric("partywall_event_scope_connections_total", &[]).unwrap_or_default();
        let before = count();
        let put = |token: String| {
            // At once, so that nobody reads half of one.
            let (next, file) = (setup.folder.join("next.jwt"), setup.folder.join("java.jwt"));
            fs::write(&next, token).unwrap();
            fs::rename(&next, file).unwrap();
        };
        let go_on = |how_long: u64| {
            let end = Instant::now() + Duration::from_secs(how_long);
            while Instant::now() < end {
                put(fresh());
                std::thread::sleep(Duration::from_millis(250));
            }
        };
        let came = wait::until(PATIENCE, || {
            put(fresh());
            (count() > before + 1.0).then_some(())
        });
        came.expect("the reader comes");
        go_on(lasts);
        let settled = count();
        go_on(2 * lasts);
        assert!(count() - settled < 0.5, "the reader goes on by the connections that it has");
        let to = ["-b", &*setup.brokers.bootstrap(), "-P", "-t", "acme.orders"];
        Client::kcat().unwrap().run(&to, "much later\n").unwrap().succeeds().unwrap();
        assert_eq!(told.join().unwrap(), "of acme.orders\nmuch later\n");
    });
}

/// Whatever the broker thinks of it: this one believes all, for ever.
#[test]
fn a_token_that_ran_out_ends_the_connection() {
    let issuer = OwnIssuer::make("https://all.example", "all");
    let recorder = Recorder::start(&["acme.orders", "globex.orders"], "acme.").unwrap();
    let (name, entries) = ("kafka-tokens-out", entry(&issuer));
    let options =
        ScopedOptions { name, identity: "[token]", plain: true, issuers: &entries, ..ScopedOptions::default() };
    let scoped = Scoped::start(&options, &Brokers::standing_in(recorder.port)).unwrap();
    let acme = json!("acme");
    // Its time is over, but for what clocks may differ.
    let left = 6;
    let late = issuer.aged(&acme, 600, 600 + left - SKEW).unwrap();
    let begun = Instant::now();
    let (mut idle, mut again) = (wire(scoped.port), wire(scoped.port));
    for wire in [&mut idle, &mut again] {
        assert_eq!(shows(wire, &late), Some(0), "{:?}", scoped.told());
        assert_eq!(wire.topics(), Some(vec!["orders".into()]), "{:?}", scoped.told());
    }
    assert_eq!(shows(&mut again, &issuer.token(&acme).unwrap()), Some(0), "who shows another in time");
    let over = wait::until(PATIENCE, || idle.topics().is_none().then(|| begun.elapsed())).expect("it ends");
    assert!((Duration::from_secs(left - 2)..Duration::from_secs(left + 4)).contains(&over), "after {over:?}");
    assert_eq!(ended(&scoped), ["\"credential_expired\""]);
    assert_eq!(again.topics(), Some(vec!["orders".into()]), "goes on");
    let more = issuer.aged(&acme, 600, 600 - SKEW - 5).unwrap();
    assert_ne!(shows(&mut wire(scoped.port), &more), Some(0), "and nobody begins with one");
}
