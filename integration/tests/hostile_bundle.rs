//! Bundles that the right key signed and no compiler wrote: whatever byte of them is another one, the VM lives and goes
//! on deciding. In the host that counts, where a trap is an error with its words.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use partywall_integration::artefacts;
use partywall_integration::host::Host;
use partywall_integration::host::sample::{Place, edge};
use partywall_integration::issuers::{Provider, viewer};
use partywall_integration::mesh::unique;
use partywall_integration::roots::secret;
use partywall_integration::served::served;
use partywall_integration::site::Site;
use partywall_integration::statement::{BUNDLE, Statement, sign};

const ROUNDS: u64 = 480;
/// Overlays live for two minutes, and a bundle is asked for each three seconds.
const OF_ONE_HOST: u64 = 24;

/// The same changes in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    /// One to three changes of a body.
    fn change(&mut self, body: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(body.len());
            match self.below(8) {
                0 => body[at] = 0xff,
                1 => body[at] = 0,
                2 => body[at] ^= 1 << self.below(8),
                3 => body.truncate(at),
                4 => body.insert(at, self.below(256) as u8),
                5 => drop(body.remove(at)),
                // A number as long as they come.
                6 => body.splice(at..at, [0xff; 9].into_iter().chain([1])).for_each(drop),
                _ => {
                    let to = (at + self.below(64)).min(body.len());
                    let again = body[at..to].to_vec();
                    body.splice(at..at, again).for_each(drop);
                }
            }
            if body.is_empty() {
                return;
            }
        }
    }
}

/// Bundles that were refused, and the revision in force.
fn judged(host: &Host) -> (u64, u64) {
    let of = |words: &[&str]| {
        let all = host.world().metrics().iter();
        all.filter(|(name, _)| words.iter().all(|word| name.contains(word))).map(|(_, value)| *value).sum()
    };
    (of(&["bundle_refused_total", "kind=.=bundle"]), of(&["partywall_bundle_revision"]))
}

#[test]
fn no_byte_that_the_right_key_signed_traps_the_vm() {
    let site = Site::prepare("hostile-bundle", |_| ()).unwrap();
    let good = served(&site.bundles(), &site.keys(), &site.directory.join("logs")).unwrap();
    let of_edge = "/tenancy.edge.bundle";
    let base = Statement::read(&good[of_edge]).unwrap();
    let seed = secret(fs::read_to_string(site.keys().join("bundle-1.key")).unwrap().trim()).unwrap();
    let module = artefacts::module().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = site.issuers.token(&viewer(Provider::Acme, "acme"), &unique()).unwrap();
    let authorization = format!("Bearer {token}");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut in_force, mut denied) = (0, 0, 0);
    let mut host = None;
    for nth in 0..ROUNDS {
        if nth % OF_ONE_HOST == 0 {
            host = None;
        }
        let host = host.get_or_insert_with(|| {
            edge(&Place { module: &module, keys: &site.keys(), served: &good, secrets: &[], now }).unwrap()
        });
        let mut body = Statement { number: base.number + 1 + nth % OF_ONE_HOST, ..base.clone() }.body();
        random.change(&mut body);
        let mut files = good.clone();
        files.insert(of_edge.into(), sign(BUNDLE, &body, "bundle-1", &seed).unwrap());
        host.world_mut().serve(files);
        let before = judged(host);
        let mut after = before;
        for _ in 0..4 {
            host.tick(1_000).unwrap_or_else(|trap| panic!("round {nth}: {trap:#}"));
            after = judged(host);
            if after != before {
                break;
            }
        }
        let asked = host.request(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "acme.shop.example"),
            (":path", "/orders/17"),
            ("authorization", &authorization),
        ]);
        let outcome = asked.unwrap_or_else(|trap| panic!("round {nth}: {trap:#}"));
        if after.1 == before.1 {
            assert!(after.0 > before.0, "round {nth}: neither refused nor in force: {}", host.world().log().join("\n"));
            refused += 1;
        } else {
            in_force += 1;
        }
        // What came into force says something else: it may deny, and what was refused may not.
        denied += u32::from(!outcome.passed());
        assert!(outcome.passed() || after.1 != base.number, "round {nth}: {}", outcome.field("partywall.reason"));
    }
    println!("{ROUNDS} bundles: {refused} refused, {in_force} in force; {denied} requests denied under those");
    assert!(refused > 100 && in_force > 10, "{refused} refused, {in_force} in force");
}
