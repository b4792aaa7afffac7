//! What holds of whatever names and clusters there are: the compiled tables say what the text of the rules says, what
//! goes in comes back, and two tenants see nothing of each other but what somebody shares.

#![allow(clippy::disallowed_macros, reason = "a test may say what it did")]

#[path = "common/clusters.rs"]
mod clusters;
#[path = "common/naive.rs"]
mod naive;
#[path = "common/names.rs"]
mod names;

use names::{Choices, Held, hold};

#[test]
fn twenty_thousand_clusters() {
    let mut held = Held::default();
    // SplitMix64, as in `common/writer.rs`.
    let mut state = 6_u64;
    let mut below = |n: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(n).unwrap()).unwrap()
    };
    let mut choices = Choices(&mut below);
    for _ in 0..20_000 {
        let events = choices.cluster();
        hold(&events, 10, &mut choices, &mut held);
    }
    println!("{held:?}");
    assert!(held.contradicting > 1000 && held.clusters - held.contradicting > 10_000);
    assert!(held.without_scope > 100 && held.placed > 25_000 && held.seen > 25_000 && held.denied > 25_000);
    assert!(held.shared_by_two > 500 && held.partitions > 1000);
}
