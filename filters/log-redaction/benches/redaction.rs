//! How fast redaction is, natively: detection alone, and end to end by carrier, each beside what it is compared with.
//!
//! `cargo bench -p partywall-log-redaction [NAME…]`, where a name is the beginning of what is measured. `ROUNDS=31` says how
//! many rounds there are. `cargo xtask bench redaction` has two other uses for it: with `--asked` it measures nothing, and
//! goes once over what each line of standard input names; `--write FOLDER` writes bodies for Envoy.
//!
//! Everything is measured once in each round, so that a machine that is busy for a while slows all down alike; what is
//! printed is the median of the rounds, and ratios are of what was measured in the same run.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    reason = "a bench measures and tells"
)]

#[path = "redaction/bodies.rs"]
mod bodies;
#[path = "redaction/detection.rs"]
mod detection;
#[path = "../tests/labelled/mod.rs"]
mod labelled;
#[path = "redaction/sixteen.rs"]
mod sixteen;
#[path = "redaction/texts.rs"]
mod texts;

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use partywall_log_redaction::carriers::{Carrier, Change, Kind, Leaves, Limits, Place, Unit, Verdict};
use partywall_log_redaction::detect::{Detectors, Selection};
use partywall_log_redaction::fields::{FieldAction, FieldRule, FieldSet};
use partywall_log_redaction::redactor::{Engine, Facts, Own, Redactor, Rules};
use partywall_log_redaction::replace::{Keys, TenantKeys};
use partywall_log_redaction::tenants::{Listed, Templated, Tenant, TenantRules};
use texts::{Text, attributes, lines};

/// As Envoy hands them on.
const PIECE: usize = 16 << 10;
const TENANTS: u32 = 5_000;
/// How large a body is, and lines and attributes alone, in bytes.
const BODY: usize = 4 << 20;
const ALONE: (usize, usize) = (10 << 20, 4 << 20);
/// The same of what Envoy gets, and what is passed over there.
const AT_ENVOY: usize = 1 << 20;

/// What is measured: its name, how many bytes it goes through, and one pass, which gives how much there was of what it
/// looks for.
struct Measured<'m> {
    name: String,
    bytes: usize,
    pass: Box<dyn FnMut() -> usize + 'm>,
    speeds: Vec<f64>,
}

impl Measured<'_> {
    fn median(&mut self) -> f64 {
        self.speeds.sort_by(f64::total_cmp);
        self.speeds.get(self.speeds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// All that is measured, and what of it is wanted.
struct All<'m> {
    wanted: Box<dyn Fn(&str) -> bool>,
    list: Vec<Measured<'m>>,
}

impl<'m> All<'m> {
    fn add(&mut self, name: String, bytes: usize, pass: Box<dyn FnMut() -> usize + 'm>) {
        if (self.wanted)(&name) {
            self.list.push(Measured { name, bytes, pass, speeds: Vec::new() });
        }
    }
}

/// Keeps all: what a carrier costs by itself.
struct Keep;

impl Leaves for Keep {
    fn begin(&mut self, _: Unit) {}
    fn leaf(&mut self, place: &Place<'_>, text: &[u8]) -> Change {
        black_box((place.path.len(), text.len()));
        Change::Keep
    }
    fn end(&mut self) -> Verdict {
        Verdict::Keep
    }
}

fn carry(kind: Kind, leaves: &mut dyn Leaves, body: &[u8], out: &mut Vec<u8>) -> usize {
    let mut carrier = Carrier::new(kind, Limits::default());
    out.clear();
    for piece in body.chunks(PIECE) {
        carrier.push(piece, false, leaves, out).unwrap();
    }
    carrier.push(b"", true, leaves, out).unwrap();
    black_box(out).len()
}

/// Detectors, tenants and keys, as a mesh of some size has them.
struct Mesh {
    detectors: Rc<Detectors>,
    directory: Rc<Listed>,
    keys: Rc<Keys>,
    own: Tenant,
}

impl Mesh {
    fn new() -> Self {
        let mut directory = Listed::default();
        let mut keys = Keys::new(Some(&[7; 32]));
        for nth in 0..TENANTS {
            let (id, print) = (format!("tenant-{nth}"), format!("t1_{nth:016x}"));
            let tenant = directory.add(&id, &[&print], &[&format!("{id}.shop.example")]);
            keys.add(tenant, TenantKeys::new("1", &[1; 32]).unwrap());
        }
        let detectors = Rc::new(Detectors::new(&Selection::default()).unwrap());
        Self { detectors, directory: Rc::new(directory), keys: Rc::new(keys), own: Tenant(0) }
    }

    fn redactor(&self, carrier: &'static str, rules: &Rules) -> (Redactor, Facts<'static>) {
        let engine = Engine::new(rules, self.detectors.clone(), self.directory.clone(), self.keys.clone()).unwrap();
        let facts = Facts::new(carrier, Own::Tenant(self.own));
        (Redactor::new(Rc::new(engine), &facts), facts)
    }
}

/// What is done, from nothing but detection to all that the sample's `redaction.yaml` says, which is what Envoy is asked for.
fn rules() -> [(&'static str, Rules); 3] {
    let tenants = Rules { tenants: Some(TenantRules::default()), ..Rules::default() };
    let templates = vec![Templated {
        path: "**".to_owned(),
        slots: vec!["index".to_owned()],
        template: "logs-{tenant}-*".to_owned(),
    }];
    let rule = |path: &str, action| FieldRule { path: path.to_owned(), slots: Vec::new(), action };
    let fields = vec![
        rule("attributes.http.route", FieldAction::Keep),
        rule("**.cookie", FieldAction::Drop),
        rule("**.authorization", FieldAction::Drop),
    ];
    let sample = Rules {
        tenants: Some(TenantRules { templates, ..TenantRules::default() }),
        fields: vec![FieldSet { rules: fields, ..FieldSet::default() }],
        ..Rules::default()
    };
    [
        ("redacted", Rules { summary: false, ..Rules::default() }),
        ("redacted, tenants", tenants),
        ("redacted, sample", sample),
    ]
}

/// Goes once over what each line of standard input names, and answers with its bytes and how much there was: who asks
/// measures, in turn with other things.
fn answer(all: &mut All<'_>) {
    for name in std::io::stdin().lines().map_while(Result::ok) {
        let asked =
            all.list.iter_mut().find(|one| one.name == name).unwrap_or_else(|| panic!("`{name}` is not measured"));
        println!("{} {}", asked.bytes, (asked.pass)());
    }
}

/// Writes bodies, each by its name and once more with `.gz`.
fn write(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, _, body) in bodies::all(AT_ENVOY) {
        std::fs::write(folder.join(name), &body).unwrap();
        let mut folded = GzEncoder::new(Vec::new(), Compression::default());
        folded.write_all(&body).unwrap();
        std::fs::write(folder.join(format!("{name}.gz")), folded.finish().unwrap()).unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, folder, ..] = &arguments[..]
        && option == "--write"
    {
        return write(Path::new(folder));
    }
    let asked = arguments.iter().any(|argument| argument == "--asked");
    let only: Vec<String> = arguments.into_iter().filter(|name| !name.starts_with('-')).collect();
    let wanted = move |name: &str| only.is_empty() || only.iter().any(|only| name.starts_with(only.as_str()));
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(9);
    let mesh = Mesh::new();
    let (of_lines, of_attributes) = if asked { (AT_ENVOY, AT_ENVOY) } else { ALONE };
    let (lines, attributes) = (lines(of_lines), attributes(of_attributes));
    let joined: [Text; 1] =
        [(Vec::new(), lines.iter().flat_map(|(_, line)| [line.as_slice(), b"\n"].concat()).collect())];
    let bodies = bodies::all(if asked { 0 } else { BODY });
    let size = |texts: &[Text]| texts.iter().map(|(_, text)| text.len()).sum::<usize>();

    let mut all = All { wanted: Box::new(wanted), list: Vec::new() };
    all.add("detection, lines".into(), size(&lines), Box::new(detection::pass(&mesh.detectors, &lines)));
    all.add("detection, one long text".into(), size(&joined), Box::new(detection::pass(&mesh.detectors, &joined)));
    all.add("detection, attributes".into(), size(&attributes), Box::new(detection::pass(&mesh.detectors, &attributes)));
    all.add("one lazy automaton of sixteen".into(), size(&lines), Box::new(sixteen::at_once(&lines)));
    all.add("sixteen regexes in turn".into(), size(&lines), Box::new(sixteen::in_turn(&lines)));
    for (name, kind, body) in &bodies {
        let mut out = Vec::with_capacity(2 * body.len());
        all.add(
            format!("{name}, carrier alone"),
            body.len(),
            Box::new(move || carry(*kind, &mut Keep, body, &mut out)),
        );
        for (what, rules) in rules() {
            let (mut redactor, facts) = mesh.redactor(name, &rules);
            let mut out = Vec::with_capacity(2 * body.len());
            let pass = move || {
                redactor.next(&facts);
                carry(*kind, &mut redactor, body, &mut out)
            };
            all.add(format!("{name}, {what}"), body.len(), Box::new(pass));
        }
    }
    if asked {
        return answer(&mut all);
    }
    // The first fills caches and is not counted.
    for round in 0..=rounds {
        for measured in &mut all.list {
            let start = Instant::now();
            black_box((measured.pass)());
            let speed = measured.bytes as f64 / start.elapsed().as_secs_f64() / 1e6;
            if round > 0 {
                measured.speeds.push(speed);
            }
        }
    }
    let in_turn = all.list.iter_mut().find(|one| one.name.starts_with("sixteen")).map_or(f64::NAN, Measured::median);
    println!("median of {rounds} rounds, {TENANTS} tenants");
    println!("{:<32} {:>8} {:>20}", "", "MB/s", "of sixteen in turn");
    for measured in &mut all.list {
        let speed = measured.median();
        println!("{:<32} {speed:>8.1} {:>20.1}", measured.name, speed / in_turn);
    }
}
