//! cvc5, as a process that answers questions.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use cedar_policy::{PolicySet, RequestEnv, Schema};
use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, Env};
use tokio::process::Command;

use crate::exit::Failure;

/// The variable that names the solver.
const VARIABLE: &str = "CVC5";

const REMEDY: &str = "help: install cvc5 (the package `cvc5` of Debian and others), or say where it is with --cvc5 or in \
                      the environment variable CVC5";

/// A solver that is there.
#[derive(Debug)]
pub(crate) struct Solver {
    path: PathBuf,
    /// What it says of itself, as `cvc5 1.0.3`.
    pub(crate) version: String,
    limit: Duration,
}

/// What came of a question.
pub(super) enum Answer {
    /// There is no such request.
    No,
    /// There is one.
    Yes(Box<Env>),
    /// It is not known, and why.
    Unknown(String),
}

impl Solver {
    /// The solver at `given`, else where the environment variable `CVC5` says, else the `cvc5` of the system.
    /// `limit` is how long it may think about one question.
    pub(crate) fn find(given: Option<&Path>, limit: Duration) -> Result<Self, Failure> {
        let path = match (given, std::env::var_os(VARIABLE).filter(|path| !path.is_empty())) {
            (Some(given), _) => given.to_owned(),
            (None, Some(path)) => path.into(),
            (None, None) => "cvc5".into(),
        };
        let shown = path.display();
        let output = std::process::Command::new(&path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Failure::invalid(format!("the solver `{shown}` cannot be started: {e}\n{REMEDY}")))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = said.lines().find_map(|line| line.split_once("cvc5 version ")).map(|(_, rest)| rest);
        let Some(version) = version.and_then(|rest| rest.split([' ', '-']).next()) else {
            return Err(Failure::invalid(format!("`{shown}` is no cvc5: `--version` names none\n{REMEDY}")));
        };
        Ok(Self { version: format!("cvc5 {version}"), path, limit })
    }

    /// A process of it, started when it is asked first.
    pub(super) fn session(&self) -> Session<'_> {
        Session { solver: self, running: None }
    }

    fn start(&self) -> Result<CedarSymCompiler<LocalSolver>, Box<Error>> {
        let mut command = Command::new(&self.path);
        command.args(["--lang", "smt"]).kill_on_drop(true);
        let started = LocalSolver::from_command(&mut command).map_err(Error::from)?;
        Ok(CedarSymCompiler::new(started)?)
    }
}

/// One process that answers one question after the other.
pub(super) struct Session<'s> {
    solver: &'s Solver,
    running: Option<CedarSymCompiler<LocalSolver>>,
}

impl Session<'_> {
    /// Whether some request is permitted by `permits` and not by `covers`.
    pub(super) async fn ask(
        &mut self,
        schema: &Schema,
        env: &RequestEnv,
        permits: &PolicySet,
        covers: Option<&PolicySet>,
    ) -> Result<Answer, Failure> {
        // Taken out, and put back only after an answer: a process that failed or is still thinking ends here.
        let running = self.running.take();
        let answer = self.answer(running, schema, env, permits, covers);
        match tokio::time::timeout(self.solver.limit, answer).await {
            Err(_) => Ok(Answer::Unknown(format!("no answer within {} s", self.solver.limit.as_secs_f64()))),
            Ok(Err(error)) => unanswered(&error),
            Ok(Ok((running, found))) => {
                self.running = Some(running);
                Ok(found.map_or(Answer::No, |env| Answer::Yes(Box::new(env))))
            }
        }
    }

    async fn answer(
        &self,
        running: Option<CedarSymCompiler<LocalSolver>>,
        schema: &Schema,
        env: &RequestEnv,
        permits: &PolicySet,
        covers: Option<&PolicySet>,
    ) -> Result<(CedarSymCompiler<LocalSolver>, Option<Env>), Box<Error>> {
        let permits = CompiledPolicySet::compile(permits, env, schema)?;
        let covers = match covers {
            Some(covers) => Some(CompiledPolicySet::compile(covers, env, schema)?),
            None => None,
        };
        let mut running = match running {
            Some(running) => running,
            None => self.solver.start()?,
        };
        let found = match &covers {
            None => running.check_always_denies_with_counterexample_opt(&permits).await?,
            Some(covers) => running.check_implies_with_counterexample_opt(&permits, covers).await?,
        };
        Ok((running, found))
    }
}

/// What to make of an error: one of the solver's leaves the question open, one of the policies is for their author.
fn unanswered(error: &Error) -> Result<Answer, Failure> {
    match error {
        Error::SolverUnknown => Ok(Answer::Unknown("the solver does not know".into())),
        Error::SolverError(_) | Error::DecodeModel(_) | Error::ConcretizeError(_) | Error::ModelInvalid { .. } => {
            Ok(Answer::Unknown(error.to_string()))
        }
        _ => Err(Failure::invalid(format!("nothing can be proved about these policies: {error}"))),
    }
}
