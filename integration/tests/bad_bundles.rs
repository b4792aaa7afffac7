//! Plays every file of `cases/bundles` against a real Envoy, with a bundle server that does what they say: what is in
//! force stays there, requests go on, a metric counts, and one log line tells it however often it happens.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use partywall_integration::bad_bundle::{Answer, Case, Then, What};
use partywall_integration::bad_server::BadServer;
use partywall_integration::bench::proxies::{Filter, Place, Proxy, app};
use partywall_integration::case_files::read;
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::ports::free;
use partywall_integration::process::Process;
use partywall_integration::raw::{Connection, Request};
use partywall_integration::roots::secret;
use partywall_integration::site::{FIRST_REVISION, Site, compile, tenancy};
use partywall_integration::statement::{BUNDLE, OVERLAY, Statement, sign};
use partywall_integration::variant::copy;
use partywall_integration::{artefacts, cli, wait};

const MIB: u64 = 1024 * 1024;
/// A bundle is asked for every three seconds and given up after ten, an overlay each second.
const SOON: Duration = Duration::from_secs(30);
const KEYS: &str = "keys:\n  bundle: [bundle-1]\n  overlay: [overlay-1]\n";

struct Mesh {
    site: Site,
    server: BadServer,
    proxy: Proxy,
    _serving: Process,
}

static MESH: LazyLock<Mesh> = LazyLock::new(|| start().unwrap());
/// Bundles are played beside overlays, and the directory is compiled by one at a time.
static COMPILING: Mutex<()> = Mutex::new(());

fn start() -> Result<Mesh> {
    let site = Site::prepare("bad-bundles", |_| ())?;
    let keys = site.keys();
    for id in ["bundle-2", "overlay-0", "grant-1", "grant-2", "stranger"] {
        cli::run(&["keys", "pair", id, "--dir", cli::text(&keys)?])?;
    }
    let grants = "  grants: [grant-1, grant-2]\n";
    let before = "keys:\n  bundle: [bundle-1, bundle-2]\n  overlay: [overlay-1, overlay-0]\n";
    publish(&site, FIRST_REVISION + 1, &[(KEYS, &format!("{before}{grants}"))])?;
    let [port] = free()?;
    let serving =
        Process::start("bundles", &mut cli::serve(&site.bundles(), &keys, port)?, &site.directory.join("logs"))?;
    let server = BadServer::start(port)?;
    let place = Place { site: &site, bundles: server.port, app: app()? };
    let mut proxy = Proxy::edge(&place, "edge", Filter::Partywall)?;
    proxy.wait_for(&order(&site)?, &mut Connection::plain(proxy.address)?)?;
    let mesh = Mesh { site, server, proxy, _serving: serving };
    publish(&mesh.site, FIRST_REVISION + 2, &[(KEYS, &rotated(""))])?;
    mesh.in_force(FIRST_REVISION + 2)?;
    Ok(mesh)
}

/// The keys after a rotation: bundle-1 is retired, overlay-0 is no more.
fn rotated(more: &str) -> String {
    let keys = "keys:\n  bundle: [bundle-2]\n  retired: [bundle-1]\n  overlay: [overlay-1]\n";
    format!("{keys}  grants: [grant-1, grant-2]\n{more}")
}

/// Compiles the sample with these changes of `mesh.yaml`, to where it is served.
fn publish(site: &Site, revision: u64, changes: &[(&str, &str)]) -> Result<()> {
    let directory = site.directory.join("tenancy");
    copy(&tenancy(), &directory)?;
    let mut text = fs::read_to_string(directory.join("mesh.yaml"))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "mesh.yaml has no `{from}`");
        text = text.replace(from, to);
    }
    fs::write(directory.join("mesh.yaml"), text)?;
    compile(&directory, &site.keys(), &site.bundles(), Some(revision))
}

fn order(site: &Site) -> Result<Request> {
    let token = site.issuers.token(&viewer(Provider::Acme, "acme"), &unique())?;
    let request = Request::get("/orders/17").header("host", "acme.shop.example");
    Ok(request.header("authorization", format!("Bearer {token}")))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Mesh {
    fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        self.proxy.envoy().metric(name, labels)
    }

    fn in_force(&self, revision: u64) -> Result<()> {
        let there = || (self.proxy.revision().ok()? >= revision as f64).then_some(());
        wait::until(SOON, there).with_context(|| format!("no revision {revision}:\n{}", self.proxy.envoy().errors()))
    }

    /// Log lines that tell of a refusal of `what`, or of its absence.
    fn told(&self, what: What) -> Vec<String> {
        let (refused, absent) = (format!(" {} refused (", what.name()), format!(" {} cannot be fetched", what.name()));
        let all = self.proxy.envoy().errors();
        all.lines().filter(|line| line.contains(&refused) || line.contains(&absent)).map(str::to_owned).collect()
    }

    /// The number of what is in force.
    fn number(&self, what: What) -> Result<f64> {
        match what {
            What::Bundle => self.metric("partywall_bundle_revision", &[]),
            What::Overlay => self.metric("partywall_bundle_overlay_sequence", &[]),
        }
    }

    /// What the server is to send: a statement is made now, from what is in force.
    fn answer(&self, case: &Case) -> Result<Answer> {
        let Answer::Statement(made) = &case.answer else { return Ok(case.answer.clone()) };
        let body = made.body(case.of, &self.server.good(case.of)?, now())?;
        let seed = secret(fs::read_to_string(self.site.keys().join(format!("{}.key", made.by)))?.trim())?;
        let kind = if case.of == What::Bundle { BUNDLE } else { OVERLAY };
        Ok(Answer::Bytes(sign(kind, &body, made.id.as_ref().unwrap_or(&made.by), &seed)?))
    }

    /// Plays one case; an error says what came instead of what must.
    fn play(&self, case: &Case) -> Result<String> {
        let (of, kind) = (case.of, ("kind", case.of.name()));
        let answer = self.answer(case)?;
        if case.then == Then::InForce {
            let Answer::Bytes(bytes) = answer else { bail!("`in_force` is for a `statement`") };
            return self.comes_into_force(of, bytes);
        }
        let counted = || match &case.then {
            Then::Refused { refused, .. } => {
                self.metric("partywall_bundle_refused_total", &[kind, ("reason", refused)])
            }
            _ => self.metric("partywall_bundle_fetch_failures_total", &[kind]),
        };
        let (before, told, number) = (counted()?, self.told(of).len(), self.number(of)?);
        let resident = self.proxy.envoy().resident()?;
        let mut most = resident;
        self.server.answer(of, answer);
        let attempts = case.attempts.unwrap_or(of.attempts());
        let wanted = before + f64::from(attempts);
        let seen = wait::until(SOON, || {
            most = most.max(self.proxy.envoy().resident().unwrap_or(0));
            (counted().ok()? >= wanted).then_some(())
        });
        let ((asked, sent), revision) = (self.server.asked(of), self.number(of)?);
        self.server.behave(of);
        let lines: Vec<String> = self.told(of).split_off(told);
        ensure!(seen.is_some(), "asked {asked} times, counted {} of {attempts}: {lines:#?}", counted()? - before);
        let [line] = &lines[..] else { bail!("{} log lines, not one: {lines:#?}", lines.len()) };
        let words = match &case.then {
            Then::Refused { refused, told } => [format!("refused ({refused}): "), told.clone()],
            Then::Unfetched { unfetched } => [format!("`partywall-bundles`: {unfetched}; "), String::new()],
            Then::InForce => Default::default(),
        };
        ensure!(words.iter().all(|words| line.contains(words)), "told `{line}`");
        // Good overlays go on coming in once the case is over, and an old number never comes back.
        ensure!(if of == What::Bundle { revision == number } else { revision >= number }, "{number} became {revision}");
        let grown = most.saturating_sub(resident) / MIB;
        ensure!(grown <= case.memory, "Envoy grew by {grown} MiB");
        if matches!(case.then, Then::Unfetched { .. }) {
            // The next one is told only where a good one came in between.
            let good = || (self.server.asked(of).0 > 0).then_some(());
            wait::until(SOON, good).context("not asked for any more")?;
            thread::sleep(Duration::from_millis(200));
        }
        Ok(format!("asked {asked} times, {} KiB taken, {grown} MiB more", sent / 1024))
    }

    fn comes_into_force(&self, of: What, bytes: Vec<u8>) -> Result<String> {
        let number = Statement::read(&bytes)?.number;
        let there = || (self.number(of).ok()? >= number as f64).then_some(());
        self.server.answer(of, Answer::Bytes(bytes.clone()));
        let came = wait::until(SOON, there);
        if of == What::Bundle {
            // It is the good one from now on.
            let served = self.site.bundles().join("tenancy.edge.bundle");
            let beside = served.with_extension("new");
            fs::write(&beside, bytes)?;
            fs::rename(beside, served)?;
        }
        self.server.behave(of);
        came.with_context(|| format!("not in force: {:#?}", self.told(of)))?;
        if of == What::Overlay {
            let next = || (self.number(of).ok()? > number as f64).then_some(());
            wait::until(SOON, next).context("`partywall serve` does not go on")?;
        }
        Ok(format!("number {number} is in force"))
    }
}

/// Plays all cases of one kind, one after the other; gives what went wrong.
fn play_all(of: What) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, contents) in read::<Case>(Path::new(&artefacts::root().join("integration/cases/bundles"))).unwrap() {
        for case in contents.cases.iter().filter(|case| case.of == of) {
            let began = Instant::now();
            match MESH.play(case) {
                Ok(what) => println!("{file}: {} ({:.1} s): {what}", case.name, began.elapsed().as_secs_f64()),
                Err(error) => wrong.push(format!("{file}: {}: {error:#}", case.name)),
            }
            MESH.server.behave(of);
        }
    }
    wrong
}

/// Asks for an order every few milliseconds until told to stop. Gives how many were answered, those that were not let
/// through, and the longest wait.
fn ask_on(stop: &AtomicBool) -> (usize, Vec<String>, Duration) {
    let (mut answered, mut failed, mut longest) = (0, Vec::new(), Duration::ZERO);
    let mut connection = Connection::plain(MESH.proxy.address).unwrap();
    let mut request = order(&MESH.site).unwrap().bytes();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        connection.send(&request).unwrap();
        let answer = connection.receive().unwrap();
        longest = longest.max(asked.elapsed());
        if answer.status != 200 {
            failed.push(format!("{} {}", answer.status, answer.reason()));
        }
        answered += 1;
        if answered % 1000 == 0 {
            request = order(&MESH.site).unwrap().bytes();
        }
        thread::sleep(Duration::from_millis(5));
    }
    (answered, failed, longest)
}

#[test]
fn every_bad_answer_is_refused_told_once_and_harms_no_request() {
    let _turn = COMPILING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let _ = &*MESH;
    let stop = AtomicBool::new(false);
    let (wrong, (answered, failed, longest)) = thread::scope(|scope| {
        let client = scope.spawn(|| ask_on(&stop));
        let overlays = scope.spawn(|| play_all(What::Overlay));
        let mut wrong = play_all(What::Bundle);
        wrong.extend(overlays.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        (wrong, client.join().unwrap())
    });
    println!("{answered} requests meanwhile, the longest {} ms", longest.as_millis());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(answered > 1000 && failed.is_empty(), "of {answered} were not let through: {failed:?}");
    let errors = MESH.proxy.envoy().errors();
    let trap = errors.lines().find(|l| ["Uncaught", "panicked", "unreachable"].iter().any(|word| l.contains(word)));
    assert_eq!(trap, None);
    assert_eq!(MESH.metric("envoy_wasm_partywall_sidecar_vm_reload", &[]).unwrap(), 0.0);
}

/// An hour-old overlay is refused, so the last good one grows old, and then nobody is served until a good one comes.
#[test]
fn a_server_whose_overlays_are_an_hour_old_is_told_at_once_and_denied_as_stale_later() {
    const STALE_AFTER: Duration = Duration::from_secs(30);
    let _turn = COMPILING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mesh = &*MESH;
    let revision = |more| Statement::read(&mesh.server.good(What::Bundle).unwrap()).unwrap().number + more;
    let (short, long) = (revision(1), revision(2));
    publish(&mesh.site, short, &[(KEYS, &rotated("")), ("stale_after: 5m", "stale_after: 30s")]).unwrap();
    mesh.in_force(short).unwrap();
    let case: Case = serde_json::from_value(serde_json::json!({
        "name": "an overlay of the hour before",
        "of": "overlay",
        "answer": { "statement": { "by": "overlay-1", "issued": -3600 } },
        "then": { "refused": "expired" },
    }))
    .unwrap();
    let told = mesh.told(What::Overlay).len();
    mesh.server.answer(What::Overlay, mesh.answer(&case).unwrap());
    let began = Instant::now();
    let mut connection = Connection::plain(mesh.proxy.address).unwrap();
    let mut ask = || {
        connection.send(&order(&mesh.site).unwrap().bytes()).unwrap();
        connection.receive().unwrap().status
    };
    // The one in force is at most as old as `partywall serve` lets it get.
    while began.elapsed() < STALE_AFTER - Duration::from_secs(17) {
        assert_eq!(ask(), 200, "after {:?}", began.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    let denied = wait::until(STALE_AFTER, || (ask() == 503).then(|| began.elapsed())).expect("never stale");
    println!("stale {:.1} s after the last good overlay was asked for", denied.as_secs_f64());
    assert!(denied <= STALE_AFTER + Duration::from_secs(2), "{denied:?}");
    assert_eq!(mesh.told(What::Overlay).len(), told + 1, "{:#?}", mesh.told(What::Overlay));
    mesh.server.behave(What::Overlay);
    wait::until(Duration::from_secs(5), || (ask() == 200).then_some(())).expect("served again");
    publish(&mesh.site, long, &[(KEYS, &rotated(""))]).unwrap();
    mesh.in_force(long).unwrap();
}
