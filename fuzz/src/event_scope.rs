//! What must hold of names, whatever a bundle says of a cluster and whatever bytes a peer calls something.
//! `filters/event-scope/tests/fuzz_replay.rs` includes this file and replays the corpus.

#[path = "../../filters/event-scope/tests/common/clusters.rs"]
mod clusters;
#[path = "../../filters/event-scope/tests/common/naive.rs"]
mod naive;
#[path = "../../filters/event-scope/tests/common/names.rs"]
mod names;

use names::{Choices, Held, hold};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("event_scope", event_scope)];

/// How many bytes choose a cluster.
const CHOICES: usize = 96;

/// The first bytes choose a cluster, two tenants and names; what is behind them is names, by lines.
///
/// A cluster that contradicts itself is refused, and no other; what is compiled says what the rules say; what goes in
/// comes back; and two tenants see nothing of each other but what a rule gives to both.
pub fn event_scope(bytes: &[u8]) {
    let (chosen, lines) = bytes.split_at(bytes.len().min(CHOICES));
    let mut chosen = chosen.iter();
    let mut below = |n: usize| usize::from(chosen.next().copied().unwrap_or_default()) % n;
    let mut choices = Choices(&mut below);
    let events = choices.cluster();
    let mut names: Vec<Vec<u8>> = lines.split(|byte| *byte == b'\n').take(16).map(<[u8]>::to_vec).collect();
    names.push(lines.to_vec());
    hold(&events, 4, &names, &mut choices, &mut Held::default());
}
