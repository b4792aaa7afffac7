//! The text of the cases that are written by a program: one for each API and each version in which something that is
//! marked moves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compose::{Composer, IDS, Names, PORT, View, WORDS, denial};
use super::fields::frame;
use super::kinds::{Kind, kind};
use super::meant::{Meant, denies, judged};
use super::moves;
use super::read::{Api, Table};
use super::writer::Side;

/// What the files are called, in the folder of their version.
pub const FILE: &str = "bytes.yaml";
/// How many bytes stand in a line.
const LINE: usize = 54;
/// How wide text is.
const WIDTH: usize = 118;

/// Each file's path below `cases/kafka`, with its text.
pub fn cases(table: &Table) -> BTreeMap<String, String> {
    let versions = |api| moves::versions(api).into_iter().map(move |version| (api, version));
    let all = table.apis.iter().flat_map(versions);
    all.map(|(api, version)| (format!("{}/{version}/{FILE}", api.name), case(table, api, version))).collect()
}

fn case(table: &Table, api: &Api, version: u8) -> String {
    let mut case = Case::new(table, api, version);
    match kind(api.key, version) {
        Kind::Passed => {
            // Of a group that it joined a connection knows what its members tell each other.
            if api.key == 14 && version < 5 {
                case.passed(case.api(11), 5);
            }
            case.passed(api, version);
            let why = match (case.speaks_of_others, moves::has(api, version, "host")) {
                (true, true) => "nothing of rival's comes back, and brokers are where clients find them",
                (true, false) => "names are acme's at the broker, and nothing of rival's comes back",
                (false, true) => "brokers are where clients find them",
                (false, false) => "names are acme's at the broker",
            };
            case.text(why)
        }
        Kind::Denied(code) => {
            case.denied(code);
            case.text(match code {
                31 => "who runs the broker may do this; a tenant gets error 31, and the broker nothing of it",
                _ => "this cannot be scoped, and is not offered: error 35",
            })
        }
        Kind::Apart if api.key == 18 => {
            case.offered();
            case.text("what is offered is what the table has and tenants may use, whatever a broker has")
        }
        Kind::Apart if api.key == 17 && version == 0 => {
            case.nobody = true;
            case.denied(35);
            case.text("what would follow this version has no frames: error 35")
        }
        Kind::Apart => {
            case.nobody = true;
            case.logged_in();
            case.text("who it is counts once the broker says so, whose words do not come through")
        }
    }
}

/// One that is being written.
struct Case<'t> {
    table: &'t Table,
    api: &'t Api,
    version: u8,
    names: Names,
    /// Whether its connection begins as nobody's.
    nobody: bool,
    /// Whether the oracle knows every message.
    known: bool,
    /// Whether the broker names what is another tenant's.
    speaks_of_others: bool,
    talk: String,
}

impl<'t> Case<'t> {
    fn new(table: &'t Table, api: &'t Api, version: u8) -> Self {
        let names = Names::of(api, version);
        let (nobody, known, speaks_of_others) = (false, true, false);
        Self { table, api, version, names, nobody, known, speaks_of_others, talk: String::new() }
    }

    fn api(&self, key: i16) -> &'t Api {
        self.table.apis.iter().find(|api| api.key == key).unwrap()
    }

    /// The bytes of both sides: those of the oracle, where it knows all of them.
    fn sides(&mut self, of: (&Api, u8, Side), meant: Option<&Meant>, client: &Value, broker: &Value) -> [Vec<u8>; 2] {
        let (api, version, side) = of;
        let called = if self.nobody { "app" } else { "acme.app" };
        let written = |called, fields| {
            let called = (side == Side::Request).then_some(called);
            frame(self.table, api, version, side, called, fields)
        };
        let ours = [written("app", client), written(called, broker)];
        let judged = judged(of, meant, &ours[0], &ours[1]);
        self.known &= judged.is_some();
        judged.unwrap_or(ours)
    }

    /// What the broker gets and says, where it is asked at all.
    fn step(&mut self, sends: &[u8], broker: Option<[&[u8]; 2]>, gets: &[u8]) {
        self.place("  - client_sends", sends);
        if let Some([asked, says]) = broker {
            self.place("    broker_gets", asked);
            self.place("    broker_says", says);
        } else {
            self.talk.push_str("    broker_gets: a stand-in\n");
        }
        self.place("    client_gets", gets);
    }

    fn place(&mut self, name: &str, bytes: &[u8]) {
        let _ = writeln!(self.talk, "{name}: >-");
        for line in bytes.chunks(LINE) {
            let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(self.talk, "      {hex}");
        }
    }

    /// A request and its response, of which each name is mapped.
    fn passed(&mut self, api: &Api, version: u8) {
        let names = self.names.clone();
        // Of resources without a type nobody knows whose they are.
        let typeless = api.key == 74 && version == 0;
        let meant = if typeless { Meant::all_theirs(&names) } else { Meant::of(&names) };
        let fields = |side, view| Composer::new(self.table, api, version, &names, side, view).fields();
        let [asked, told] =
            [Side::Request, Side::Response].map(|side| [View::Client, View::Broker].map(|view| fields(side, view)));
        let [sends, gets] = self.sides((api, version, Side::Request), Some(&meant), &asked[0], &asked[1]);
        let [answer, says] = self.sides((api, version, Side::Response), Some(&meant), &told[0], &told[1]);
        let (rival, id) = (b"rival.".as_slice(), [IDS[2].1; 16]);
        self.speaks_of_others = says.windows(6).any(|part| part == rival) || says.windows(16).any(|part| part == id);
        self.step(&sends, Some([&gets, &says]), &answer);
    }

    fn denied(&mut self, code: i16) {
        let (api, version, names) = (self.api, self.version, self.names.clone());
        let asked = Composer::new(self.table, api, version, &names, Side::Request, View::Client).fields();
        let answer = denial(api, version, &asked, code);
        let [sends, _] = self.sides((api, version, Side::Request), None, &asked, &asked);
        let [answer, _] = self.sides((api, version, Side::Response), None, &answer, &answer);
        denies(api, version, &answer, code);
        self.step(&sends, None, &answer);
    }

    /// A broker that has everything, also what nobody knows.
    fn offered(&mut self) {
        let (api, version, meant) = (self.api, self.version, Meant::of(&self.names));
        let asked = match version {
            0..3 => json!({}),
            3..5 => json!({ "ClientSoftwareName": "client", "ClientSoftwareVersion": "1.2" }),
            _ => {
                json!({ "ClientSoftwareName": "client", "ClientSoftwareVersion": "1.2", "ClusterId": "c", "NodeId": 4 })
            }
        };
        let entry =
            |key: i16, (first, last): (u8, u8)| json!({ "ApiKey": key, "MinVersion": first, "MaxVersion": last });
        let all = self.table.apis.iter().map(|api| api.key).chain([4, 10_001]);
        let has: Vec<Value> = all.map(|key| entry(key, (0, 99))).collect();
        let offers: Vec<Value> = self
            .table
            .apis
            .iter()
            .filter_map(|api| {
                let (first, last) = api.versions;
                let mut offered = (first..=last).filter(|version| kind(api.key, *version) != Kind::Denied(35));
                let first = offered.next()?;
                // Clients look for these, and send no such version.
                let shown = if matches!(api.key, 0 | 17) { 0 } else { first };
                Some(entry(api.key, (shown, offered.next_back().unwrap_or(first))))
            })
            .collect();
        let told = |list: Vec<Value>| match version {
            0 => json!({ "ApiKeys": list }),
            1..3 => json!({ "ApiKeys": list, "ThrottleTimeMs": 3 }),
            _ => json!({ "ApiKeys": list, "ThrottleTimeMs": 3, "FinalizedFeaturesEpoch": 4 }),
        };
        let [sends, gets] = self.sides((api, version, Side::Request), Some(&meant), &asked, &asked);
        let [answer, says] = self.sides((api, version, Side::Response), None, &told(offers), &told(has));
        self.step(&sends, Some([&gets, &says]), &answer);
    }

    /// Handshakes, what is shown, and then a request by name.
    fn logged_in(&mut self) {
        let (handshake, shows) = (self.api(17), self.api(36));
        let mechanisms = json!({ "Mechanisms": ["PLAIN", "SCRAM-SHA-512"] });
        self.same((handshake, 1), &json!({ "Mechanism": "PLAIN" }), &mechanisms, &mechanisms);
        if self.api.key == 17 {
            return;
        }
        let version = self.version;
        let wrong = json!({ "ErrorCode": 58, "ErrorMessage": WORDS });
        let user = |password: &str| json!({ "AuthBytes": format!("\0acme{version}\0{password}") });
        self.same((shows, version), &user("guessed"), &wrong, &json!({ "ErrorCode": 58 }));
        self.same((handshake, 1), &json!({ "Mechanism": "PLAIN" }), &mechanisms, &mechanisms);
        let right = if version == 0 { json!({}) } else { json!({ "SessionLifetimeMs": 60_000 }) };
        self.same((shows, version), &user("secret"), &right, &right);
        self.nobody = false;
        self.passed(self.api(12), version);
        self.nobody = true;
    }

    /// What nobody says reaches the broker as it is.
    fn same(&mut self, (api, version): (&Api, u8), asked: &Value, says: &Value, answer: &Value) {
        let names = self.names.clone();
        let [sends, gets] = self.sides((api, version, Side::Request), Some(&Meant::nobody()), asked, asked);
        let [answer, says] = self.sides((api, version, Side::Response), Some(&Meant::of(&names)), answer, says);
        self.step(&sends, Some([&gets, &says]), &answer);
    }

    fn text(self, why: &str) -> String {
        let mut text = wrapped("why: >-", &format!("{}; {why}", reason(self.api, self.version)));
        text += if self.known { "by: kafka-protocol\n" } else { "by: encoder\n" };
        let mut given = Vec::new();
        given.extend(self.nobody.then(|| "nobody: true".to_owned()));
        if moves::has(self.api, self.version, "topic-id") {
            let named = IDS.map(|(who, id)| format!("{id}: {}", self.names.name("topic", who, View::Broker)));
            given.push(format!("ids: {{ {} }}", named.join(", ")));
        }
        given.extend(moves::has(self.api, self.version, "host").then(|| format!("port: {PORT}")));
        if !given.is_empty() {
            let _ = writeln!(text, "given: {{ {} }}", given.join(", "));
        }
        format!("{text}talk:\n{}", self.talk)
    }
}

/// Why there is a case of this version.
fn reason(api: &Api, version: u8) -> String {
    let mut reasons = Vec::new();
    let (first, last) = api.versions;
    if version == first && first == last {
        reasons.push("the only version".to_owned());
    } else if version == first {
        reasons.push("the first version".to_owned());
    } else if version == last {
        reasons.push("the last version".to_owned());
    }
    if version > first && api.flexible == Some(version) {
        reasons.push("the first one with compact lengths".to_owned());
    }
    if version > first {
        let (before, now) = (moves::marked(api, version - 1), moves::marked(api, version));
        let differ = |some: &[String], others: &[String]| {
            let places: Vec<String> = some.iter().filter(|place| !others.contains(place)).cloned().collect();
            let more = places.len().saturating_sub(2);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (!places.is_empty())
                .then(|| format!("{}{more}", places.iter().take(2).cloned().collect::<Vec<_>>().join(", ")))
        };
        reasons.extend(differ(&now, &before).map(|places| format!("new are {places}")));
        reasons.extend(differ(&before, &now).map(|places| format!("gone are {places}")));
    }
    reasons.join("; ")
}

/// A block of text, folded.
fn wrapped(head: &str, text: &str) -> String {
    let mut lines = vec![head.to_owned(), " ".to_owned()];
    for word in text.split(' ') {
        if lines.last().unwrap().len() + 1 + word.len() > WIDTH {
            lines.push(" ".to_owned());
        }
        let line = lines.last_mut().unwrap();
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}
