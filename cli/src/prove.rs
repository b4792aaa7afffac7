//! Proofs about the policies of a directory, by Cedar's symbolic compiler and the solver cvc5.
//!
//! ```text
//! directory ─► side         policies as they count, services, tenants
//!                │
//!                ├─ kind      one kind of request: an action on a type of resource, with what sidecars see to
//!                ├─ claim     what is to be shown of each kind
//!                ▼
//!              question ─► solver ─► holds, or a model ─► counterexample: a request of this mesh
//! ```
//!
//! A claim of one kind is a question: may a request that is as sidecars make them be permitted by these policies, and
//! by those not? No such request is a proof; one is a counterexample, which Cedar's own authorizer has to confirm
//! before it is shown.

mod claim;
mod counterexample;
mod dereference;
mod files;
mod kind;
mod model;
mod question;
mod report;
mod shown;
mod side;
mod solver;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::exit::Failure;
use crate::lower::schema;

pub(crate) use claim::{Claim, Pass};
pub(crate) use files::write;
pub(crate) use kind::Kind;
pub(crate) use report::{Finding, Report, Verdict};
pub(crate) use side::Side;
pub(crate) use solver::Solver;

/// The room each thread has on its stack: Cedar descends into each `&&` of a chain.
const ROOM: usize = 256 << 20;

/// What is to be proved.
pub(crate) struct Task<'t> {
    /// The directory it is about.
    pub(crate) new: &'t Side,
    /// The one it is compared with.
    pub(crate) old: Option<&'t Side>,
    /// Who is asked.
    pub(crate) solver: &'t Solver,
}

/// Asks about every kind of request. `progress` is called after each, with how many are done.
pub(crate) fn prove(task: &Task<'_>, progress: &(dyn Fn(usize, usize, &Kind) + Sync)) -> Result<Report, Failure> {
    let start = Instant::now();
    let services: Vec<_> = task.sides().flat_map(|side| side.services.iter().cloned()).collect();
    let schema = schema::compile(&services).map_err(|e| Failure::diagnostics(&[e]))?;
    let mut kinds: Vec<Kind> = schema.request_envs().map(Kind::new).collect();
    kinds.sort_by(|a, b| (&a.action, &a.resource).cmp(&(&b.action, &b.resource)));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answered = Mutex::new(Vec::new());
    let work = || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::invalid)?;
        let mut session = task.solver.session();
        while let Some((at, kind)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            kinds.get(at).map(|kind| (at, kind))
        } {
            let found = runtime.block_on(question::of_kind(task, &mut session, &schema, kind)).inspect_err(|_| {
                // Nobody needs the rest any more.
                next.store(kinds.len(), Ordering::Relaxed);
            })?;
            answered.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, found));
            progress(1 + done.fetch_add(1, Ordering::Relaxed), kinds.len(), kind);
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(kinds.len().max(1));
    std::thread::scope(|scope| {
        let spawn = |_| std::thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, work);
        let started: Vec<_> = (0..threads).map(spawn).collect::<Result<_, _>>().map_err(Failure::invalid)?;
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<(), Failure>>| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        started.into_iter().map(join).collect::<Result<Vec<()>, Failure>>()
    })?;
    let mut answered = answered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    answered.sort_by_key(|(at, _)| *at);
    let answered = answered.into_iter().map(|(_, found)| found).collect();
    Ok(Report::new(task, &kinds, answered, start.elapsed()))
}

impl Task<'_> {
    fn sides(&self) -> impl Iterator<Item = &Side> {
        std::iter::once(self.new).chain(self.old)
    }

    /// The directory that permits what a counterexample of `claim` shows.
    fn permitting(&self, claim: Claim) -> &Side {
        match (claim, self.old) {
            (Claim::NotNarrower, Some(old)) => old,
            _ => self.new,
        }
    }
}
