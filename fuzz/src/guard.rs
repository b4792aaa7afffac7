//! What must hold for whatever body a service answers with. `filters/authorization/tests/fuzz_replay.rs` includes this
//! file and replays the corpus.

use std::sync::Arc;

use partywall_authorization::guard::{Coding, Guard, Refused, Rules};
use partywall_tenancy::{Errors, Foreign, Outlived, Response, ResponseFormat, ResponseOwner, Since, TenantId};

/// One of them.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in the corpus.
pub const ALL: &[(&str, Target)] = &[("guard", guard)];

const CAP: u32 = 1024;
/// When every response begins: 2026-11-20T10:00:00Z. Its elements may be an hour old.
const NOW: u64 = 1_795_168_800;

/// The first byte chooses how the rest is judged. However it is cut, it ends alike; what leaves of a response that is not
/// refused is judged clean when it is judged again, and is the response itself where nothing in it is foreign.
pub fn guard(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let pointer = ["/items/*/tenant", "/tenant", "/*", "/a/*/b/*/c"][usize::from(choice & 3)];
    let format = [ResponseFormat::Json, ResponseFormat::Ndjson, ResponseFormat::Sse][usize::from(choice >> 2 & 3) % 3];
    let foreign = [Foreign::Deny, Foreign::Drop, Foreign::Mask, Foreign::Report][usize::from(choice >> 4 & 3)];
    let (mut owners, mut since) = (vec![ResponseOwner::Pointer(pointer.into())], None);
    if choice >> 2 & 3 == 3 {
        // JSON that is asked for its age.
        let outlived = [Outlived::Deny, Outlived::Drop, Outlived::Mask, Outlived::Deny][usize::from(choice >> 4 & 3)];
        owners.clear();
        since = Some(Since { pointer: pointer.into(), age: 3_600, outlived });
    }
    let errors = Errors::Strip;
    let response = Response { owners, format, foreign, element_cap: CAP, hold: 0, errors, since };
    let Ok(Some(rules)) = Rules::compile(&response) else { return };
    let rules = Arc::new(rules);
    let coding = [None, None, Some(Coding::Gzip), Some(Coding::Deflate)][usize::from(choice >> 6)];
    let whole = walk(&rules, coding, [body]);
    for size in [1, 2, 7, 64] {
        let cut = walk(&rules, coding, body.chunks(size));
        assert_eq!(cut.1.is_ok(), whole.1.is_ok(), "cut by {size}: {:?} and {:?}", cut.1, whole.1);
        if whole.1.is_ok() {
            assert_eq!(cut.0, whole.0, "cut by {size}");
        }
    }
    let (left, outcome, others) = whole;
    if outcome.is_err() {
        return;
    }
    if coding.is_some() {
        let again = walk(&rules, None, [&left[..]]);
        assert!(others > 0 || (again.1.is_ok() && again.0 == left), "{:?} after the second time", again.1);
    } else if others == 0 || foreign == Foreign::Report {
        assert_eq!(left, body);
    } else {
        let again = walk(&rules, None, [&left[..]]);
        // Of an owner that was masked itself nothing is left to be judged.
        let masked_owner = pointer.ends_with('*') && foreign == Foreign::Mask;
        assert!(masked_owner || (again.1.is_ok() && again.2 == 0), "{:?} after the second time", again.1);
    }
}

/// What left, how it ended, and how many elements were another's.
fn walk<'b>(
    rules: &Arc<Rules>,
    coding: Option<Coding>,
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<u8>, Result<(), Refused>, u64) {
    let tenant = TenantId::parse("acme").expect("a good id");
    let mut guard = Guard::new(rules, tenant, NOW).unfolding(coding);
    let mut left = Vec::new();
    let mut outcome = Ok(());
    for chunk in chunks {
        outcome = outcome.and_then(|()| guard.read(chunk, &mut left));
        assert!(guard.kept_back() <= CAP as usize);
    }
    let outcome = outcome.and_then(|()| guard.finish(&mut left));
    let counts = guard.counts();
    (left, outcome, counts.dropped + counts.masked + counts.reported + counts.outlived)
}
