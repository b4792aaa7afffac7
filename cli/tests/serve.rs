//! `partywall serve` as a process, asked over HTTP, while other commands change what it serves.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{folder, keys, partywall, path, sample};

#[test]
fn files_are_served_with_strong_tags() {
    let (mesh, server) = served("serve-tags");
    let bundle = server.get("/tenancy.edge.bundle", &[]);
    assert_eq!((bundle.status, &bundle.body), (200, &fs::read(mesh.out().join("tenancy.edge.bundle")).unwrap()));
    assert_eq!(bundle.header("cache-control"), "no-cache");
    let tag = bundle.header("etag");
    assert!(tag.starts_with('"') && tag.len() > 30, "{tag}");
    for condition in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let known = server.get("/tenancy.edge.bundle", &[("if-none-match", &condition)]);
        assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, tag), "{condition}");
    }
    assert_eq!(server.get("/tenancy.edge.bundle", &[("if-none-match", "\"x\"")]).status, 200);
    let head = server.ask("HEAD", "/tenancy.overlay", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), server.get("/tenancy.overlay", &[]).body.len().to_string());
    assert_eq!(server.get("/healthz", &[]).status, 200);
    for other in ["/", "/overlay.yaml", "/../keys/bundle-1.key", "/.serve.lock", "/tenancy.edge.bundle/"] {
        assert_eq!(server.get(other, &[]).status, 404, "{other}");
    }
    assert_eq!(server.ask("POST", "/tenancy.overlay", &[]).status, 405);
}

#[test]
fn a_suspension_is_live_within_a_second() {
    let (mesh, server) = served("serve-suspend");
    let first = server.overlay();
    assert_eq!(first["suspended"], serde_json::json!([]));
    for (command, then) in [
        (&["tenant", "suspend", "globex"][..], "globex is suspended"),
        (&["tenant", "quarantine", "initech"], "initech is quarantined"),
        (&["revoke", "token", "--issuer", "https://id.acme.example", "--jti", "a\"b: #"], "is revoked"),
        (&["revoke", "signer", "edge-1"], "is revoked"),
        (&["revoke", "subject", "--issuer", "https://id.acme.example", "--subject", "mallory"], "is revoked"),
        (&["revoke", "key", "--issuer", "https://id.acme.example", "--kid", "acme-rs-2"], "is revoked"),
        (&["revoke", "issuer", "https://id.shared.example"], "is revoked"),
        (&["consent", "withdraw", "acme", "analytics"], "`analytics` of acme is withdrawn"),
    ] {
        let before = server.overlay()["sequence"].as_u64().unwrap();
        partywall(&[command, &["--dir", path(&mesh.out())]].concat()).succeeds().says(then);
        server.until(|overlay| overlay["sequence"].as_u64().unwrap() > before);
    }
    let overlay = server.overlay();
    assert_eq!(overlay["suspended"], serde_json::json!(["globex"]));
    assert_eq!(overlay["quarantined"], serde_json::json!(["initech"]));
    let withdrawn = serde_json::json!([{ "tenant": "acme", "consent": "analytics" }]);
    assert_eq!(overlay["withdrawn_consents"], withdrawn);
    assert_eq!(
        overlay["revoked_tokens"],
        serde_json::json!([{ "issuer": "https://id.acme.example", "id": "a\"b: #" }])
    );
    assert_eq!(overlay["revoked_signers"], serde_json::json!(["edge-1"]));
    let acme = "https://id.acme.example";
    assert_eq!(overlay["revoked_subjects"], serde_json::json!([{ "issuer": acme, "subject": "mallory" }]));
    assert_eq!(overlay["revoked_keys"], serde_json::json!([{ "issuer": acme, "id": "acme-rs-2" }]));
    assert_eq!(overlay["revoked_issuers"], serde_json::json!(["https://id.shared.example"]));
    assert_eq!(overlay["expires"].as_u64().unwrap() - overlay["issued"].as_u64().unwrap(), 120);
    partywall(&["tenant", "resume", "globex", "--dir", path(&mesh.out())]).succeeds().says("active again");
    server.until(|overlay| overlay["suspended"] == serde_json::json!([]));
}

#[test]
fn a_restart_keeps_the_sequence_growing_and_the_suspension() {
    let (mesh, server) = served("serve-restart");
    mesh.suspend("globex");
    server.until(|overlay| overlay["suspended"] == serde_json::json!(["globex"]));
    let before = server.overlay()["sequence"].as_u64().unwrap();
    server.stop();

    // Neither a lost file nor a broken one lifts what was withdrawn.
    fs::remove_file(mesh.out().join("overlay.yaml")).unwrap();
    let server = mesh.serve();
    let overlay = server.overlay();
    assert_eq!(overlay["suspended"], serde_json::json!(["globex"]));
    assert!(overlay["sequence"].as_u64().unwrap() > before);
    server.stop();
    fs::write(mesh.out().join("overlay.yaml"), "suspended: [").unwrap();
    let server = mesh.serve();
    assert_eq!(server.overlay()["suspended"], serde_json::json!(["globex"]));
    let said = server.stop();
    assert!(said.contains("overlay.yaml:1:12: error:"), "{said}");

    // With nothing to fall back on, it does not start.
    fs::remove_file(mesh.out().join("tenancy.overlay")).unwrap();
    mesh.serve_args(&[]).output().map(|output| assert_eq!(output.status.code(), Some(3))).unwrap();
}

#[test]
fn a_broken_overlay_file_is_told_once_and_lifts_nothing() {
    let (mesh, server) = served("serve-broken");
    mesh.suspend("globex");
    server.until(|overlay| overlay["suspended"] == serde_json::json!(["globex"]));
    let file = mesh.out().join("overlay.yaml");
    fs::write(&file, "suspended: [Acme]\n").unwrap();
    sleep(Duration::from_millis(500));
    assert_eq!(server.overlay()["suspended"], serde_json::json!(["globex"]));
    partywall(&["tenant", "suspend", "acme", "--dir", path(&mesh.out())])
        .ends_with(3)
        .says("overlay.yaml:1:13: error:");
    fs::remove_file(&file).unwrap();
    sleep(Duration::from_millis(300));
    assert_eq!(server.overlay()["suspended"], serde_json::json!(["globex"]));
    mesh.suspend("acme");
    server.until(|overlay| overlay["suspended"] == serde_json::json!(["acme", "globex"]));
    fs::write(&file, "").unwrap();
    server.until(|overlay| overlay["suspended"] == serde_json::json!([]));
    let said = server.stop();
    assert_eq!(said.matches("overlay.yaml:1:13: error: tenant id `Acme`").count(), 1, "{said}");
    assert_eq!(said.matches("overlay.yaml: error: is gone").count(), 1, "{said}");
}

#[test]
fn a_replaced_bundle_is_served_at_the_next_request() {
    let (mesh, server) = served("serve-replaced");
    let first = server.get("/tenancy.edge.bundle", &[]);
    mesh.compile();
    let second = server.get("/tenancy.edge.bundle", &[("if-none-match", first.header("etag"))]);
    assert_eq!((second.status, &second.body), (200, &fs::read(mesh.out().join("tenancy.edge.bundle")).unwrap()));
    assert_ne!(first.header("etag"), second.header("etag"));
}

#[test]
fn it_waits_for_its_first_bundle() {
    let mesh = Mesh::new("serve-waits");
    fs::create_dir_all(mesh.out()).unwrap();
    let server = mesh.serve();
    for path in ["/tenancy.edge.bundle", "/tenancy.overlay"] {
        assert_eq!(server.get(path, &[]).status, 404, "{path}");
    }
    assert_eq!(server.get("/healthz", &[]).status, 503);
    mesh.compile();
    assert_eq!(server.get("/tenancy.edge.bundle", &[]).status, 200);
    let start = Instant::now();
    while server.get("/tenancy.overlay", &[]).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(1));
        sleep(Duration::from_millis(20));
    }
    assert!(server.stop().contains("waiting for"));
}

#[test]
fn who_may_listen_and_sign_is_checked() {
    let mesh = Mesh::new("serve-refuses");
    mesh.compile();
    let run = |more: &[&str]| mesh.serve_args(more).output().unwrap();
    assert_eq!(run(&["--listen", "0.0.0.0:0"]).status.code(), Some(2));
    assert_eq!(run(&["--listen", "somewhere"]).status.code(), Some(2));
    let server = mesh.serve();
    let twice = run(&[]);
    assert_eq!(twice.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("served by another"));
    server.stop();
    mesh.serve_with(&["--listen", "0.0.0.0:0", "--allow-remote"]).stop();
    let missing = partywall(&["serve", path(&mesh.out()), "--overlay-key", "nowhere.key"]).ends_with(3);
    missing.says("key file `nowhere.key` is not there");

    // The bundle's own key has another role; sidecars would refuse what it signs.
    let key = mesh.keys.join("bundle-1.key");
    let mut child = Command::new(env!("CARGO_BIN_EXE_partywall"))
        .args(["serve", path(&mesh.out()), "--overlay-key", path(&key)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said = stop(child);
    assert!(said.contains("does not name overlay key `bundle-1`"), "{said}");
}

#[test]
fn mistyped_names_are_no_silent_suspension() {
    let mesh = Mesh::new("serve-mistyped");
    mesh.compile();
    let out = mesh.out();
    let dir = ["--dir", path(&out)];
    let run = |command: &[&str]| partywall(&[command, &dir[..]].concat());
    run(&["tenant", "suspend", "globx"]).ends_with(3).says("has no tenant `globx`").says("did you mean `globex`?");
    run(&["tenant", "resume", "globx"]).ends_with(3);
    run(&["tenant", "suspend", "Globex"]).ends_with(2);
    run(&["revoke", "signer", "edge-2"]).ends_with(3).says("did you mean `edge-1`?");
    run(&["revoke", "token", "--issuer", "https://id.acme.exmaple", "--jti", "1"]).ends_with(3).says("did you mean");
    run(&["revoke", "token", "--issuer", "https://id.acme.example", "--jti", ""]).ends_with(2);
    run(&["tenant", "resume", "acme"]).succeeds().says("neither suspended nor quarantined");
    partywall(&["tenant", "suspend", "acme", "--dir", path(&out.join("nowhere"))]).ends_with(3).says("is no folder");
    assert!(!fs::read_to_string(out.join("overlay.yaml")).unwrap_or_default().contains("globx"));
}

#[test]
fn commands_at_once_do_not_undo_each_other() {
    let mesh = Mesh::new("serve-at-once");
    mesh.compile();
    let out = mesh.out();
    std::thread::scope(|scope| {
        for n in 0..12 {
            let out = &out;
            scope.spawn(move || {
                let jti = format!("token-{n}");
                let issuer = "https://id.acme.example";
                partywall(&["revoke", "token", "--issuer", issuer, "--jti", &jti, "--dir", path(out)]).succeeds();
            });
        }
    });
    let text = fs::read_to_string(out.join("overlay.yaml")).unwrap();
    assert_eq!(text.matches("token-").count(), 12, "{text}");
}

struct Mesh {
    here: PathBuf,
    keys: PathBuf,
}

fn served(name: &str) -> (Mesh, Server) {
    let mesh = Mesh::new(name);
    mesh.compile();
    let server = mesh.serve();
    (mesh, server)
}

impl Mesh {
    fn new(name: &str) -> Self {
        let here = folder(name);
        Self { keys: keys(&here), here }
    }

    fn out(&self) -> PathBuf {
        self.here.join("out")
    }

    fn compile(&self) {
        partywall(&["compile", path(&sample()), "--keys", path(&self.keys), "--out", path(&self.out())]).succeeds();
    }

    fn suspend(&self, tenant: &str) {
        partywall(&["tenant", "suspend", tenant, "--dir", path(&self.out())]).succeeds();
    }

    fn serve_args(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partywall"));
        command.arg("serve").arg(self.out()).arg("--overlay-key").arg(self.keys.join("overlay-1.key")).args(more);
        command
    }

    fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    fn serve_with(&self, more: &[&str]) -> Server {
        let mut child = self.serve_args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://").map(str::to_owned) else {
            panic!("{line}{}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
        };
        Server { child: Some(child), address, keys: self.keys.clone(), here: self.here.clone() }
    }
}

struct Server {
    child: Option<Child>,
    address: String,
    keys: PathBuf,
    here: PathBuf,
}

impl Server {
    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers)
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// What the overlay says, its signature verified.
    fn overlay(&self) -> Value {
        let file = self.here.join("fetched.overlay");
        fs::write(&file, self.get("/tenancy.overlay", &[]).body).unwrap();
        let ran = partywall(&["inspect", path(&file), "--keys", path(&self.keys), "--json"]).succeeds();
        assert_eq!(ran.json()["verified"], true);
        ran.json()["body"].clone()
    }

    #[track_caller]
    fn until(&self, holds: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        while !holds(&self.overlay()) {
            assert!(start.elapsed() < Duration::from_secs(1), "{}", self.overlay());
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as an operator would, and gives back what it complained about.
    fn stop(mut self) -> String {
        stop(self.child.take().unwrap())
    }
}

fn stop(mut child: Child) -> String {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let line =
            self.head.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        line.map(|(_, value)| value).unwrap_or_default()
    }
}
