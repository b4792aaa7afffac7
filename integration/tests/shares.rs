//! One tenant reads what another shares, at the edge and at the sidecar, until either may not act or it ends.

use std::fs;
use std::time::{Duration, SystemTime};

use partywall_integration::access_log::Hop;
use partywall_integration::certificates::Workload;
use partywall_integration::cli;
use partywall_integration::issuers::Provider::{Acme, Shared};
use partywall_integration::issuers::{Token, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::play::LIVE;
use partywall_integration::raw::Request;
use partywall_integration::running::Running;
use partywall_integration::services::App;
use partywall_integration::site::{FIRST_REVISION, compile};
use partywall_integration::variant::Variant;
use partywall_integration::wait;

const SHARE: &str = "share: for-acme\nowner: globex\nto: [acme]\nactions: [\"invoices:list\"]\nservices: [invoices]\n";
const SHARED: &str = "share:for-acme";
/// A bundle is asked for every three seconds.
const SOON: Duration = Duration::from_secs(20);
/// So many answers in a row are those of every worker.
const IN_A_ROW: usize = 12;

/// Status, and reason and policy of the edge's log.
type Told = (u16, String, String);

struct Play {
    mesh: Running,
}

impl Play {
    fn start() -> Self {
        let variant = Variant::prepare("shares", &["edge", "invoices"]).unwrap();
        // The sample's own wall forbids, and no share is heard over that: it leaves out what may be shared.
        let wall = "unless { principal.tenant == resource.tenant };";
        let leave = "unless { principal.tenant == resource.tenant || action == Action::\"invoices:list\" };";
        variant.replace("policies/wall.cedar", wall, leave).unwrap();
        let writes = "  - { http: \"POST /tenants/{tenant}/invoices\", action: \"invoices:add\", resource: Invoice, owner: path.tenant }\n";
        variant.append("services/invoices.yaml", writes).unwrap();
        fs::create_dir(variant.tenancy("shares")).unwrap();
        variant.append("shares/for-acme.yaml", SHARE).unwrap();
        let mesh = variant.start(&[App::Invoices]).unwrap();
        mesh.wait_for_policy(&[Hop::Edge, Hop::InvoicesInbound]).unwrap();
        Self { mesh }
    }

    fn ask(&self, method: &str, token: &Token, host: &str, owner: &str) -> Told {
        let bearer = self.mesh.site.issuers.token(token, &unique()).unwrap();
        let request = Request::new(method, format!("/tenants/{owner}/invoices"))
            .header("host", format!("{host}.shop.example"))
            .header("authorization", format!("Bearer {bearer}"));
        let answer = self.mesh.send(Hop::Edge, Workload::Edge, &request).unwrap();
        let line = self.mesh.line(Hop::Edge, answer.header("x-request-id").unwrap()).unwrap();
        (answer.status, line.field("reason"), line.field("policy"))
    }

    fn acme(&self, method: &str, owner: &str) -> Told {
        self.ask(method, &viewer(Acme, "acme"), "acme", owner)
    }

    fn until(&self, limit: Duration, what: &str, owner: &str, wanted: impl Fn(&Told) -> bool) {
        let mut last = None;
        let found = wait::until(limit, || {
            (0..IN_A_ROW)
                .all(|_| {
                    let told = self.acme("GET", owner);
                    let good = wanted(&told);
                    last = Some(told);
                    good
                })
                .then_some(())
        });
        assert!(found.is_some(), "{what}: {last:?}\n{}", self.mesh.envoy("edge").unwrap().errors());
    }

    fn tenant(&self, verb: &str, id: &str) {
        cli::run(&["tenant", verb, id, "--dir", cli::text(&self.mesh.site.bundles()).unwrap()]).unwrap();
    }
}

/// A time in UTC, as a directory has it: days since 0000-03-01 give year, month and day.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * from_march + 2) / 5 + 1, (from_march + 2) % 12 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn foreign(told: &Told) -> bool {
    (told.0, told.1.as_str()) == (404, "resource_foreign")
}

fn shared(told: &Told) -> bool {
    told.0 == 200 && told.2 == SHARED
}

#[test]
fn a_share_is_for_reading_by_whom_it_names_while_both_may_act() {
    let play = Play::start();
    play.until(SOON, "shared", "globex", shared);
    let used = play.mesh.envoy("invoices").unwrap().metric("partywall_authorization_shares_used_total", &[]).unwrap();
    assert!(used >= 1.0, "the sidecar of the service decides for itself");

    // Not written, not by others, and not what others own.
    assert!(foreign(&play.acme("POST", "globex")));
    assert!(foreign(&play.ask("GET", &viewer(Shared, "initech"), "initech", "globex")));
    assert!(foreign(&play.ask("GET", &viewer(Shared, "globex"), "globex", "acme")));
    assert!(foreign(&play.acme("GET", "initech")));

    // Neither an owner that may not act gives anything, nor does a tenant that may not act read anything.
    play.tenant("suspend", "globex");
    play.until(LIVE + SOON, "the owner is suspended", "globex", foreign);
    play.tenant("resume", "globex");
    play.until(SOON, "the owner is back", "globex", shared);
    play.tenant("quarantine", "acme");
    play.until(SOON, "who reads is quarantined", "globex", |told| told.1 == "tenant_quarantined");
    play.tenant("resume", "acme");
    play.until(SOON, "who reads is back", "globex", shared);

    // A share that ends, and one that is taken out.
    let tenancy = play.mesh.site.directory.join("tenancy");
    let ends = rfc3339(SystemTime::now() + Duration::from_secs(25));
    fs::write(
        tenancy.join("shares/for-a-while.yaml"),
        format!("share: for-a-while\nowner: initech\nto: [acme]\nactions: [\"invoices:list\"]\nservices: [invoices]\nuntil: {ends}\n"),
    )
    .unwrap();
    fs::remove_file(tenancy.join("shares/for-acme.yaml")).unwrap();
    compile(&tenancy, &play.mesh.site.keys(), &play.mesh.site.bundles(), Some(FIRST_REVISION + 10)).unwrap();
    play.until(SOON, "shared for a while", "initech", |told| told.2 == "share:for-a-while");
    play.until(SOON, "shared no more", "globex", foreign);
    play.until(Duration::from_secs(40), "over", "initech", foreign);
    assert_eq!(play.mesh.client("acme", "/tenants/acme/invoices").unwrap().status, 200);
}
