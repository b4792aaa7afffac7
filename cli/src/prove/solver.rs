//! cvc5, as a process that answers one question.

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

    /// Whether some request is permitted by `permits` and not by `covers`.
    pub(super) async fn ask(
        &self,
        schema: &Schema,
        env: &RequestEnv,
        permits: &PolicySet,
        covers: Option<&PolicySet>,
    ) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.limit, self.answer(schema, env, permits, covers)).await {
            Err(_) => Ok(Answer::Unknown(format!("no answer within {} s", self.limit.as_secs_f64()))),
            Ok(Ok(None)) => Ok(Answer::No),
            Ok(Ok(Some(env))) => Ok(Answer::Yes(Box::new(env))),
            Ok(Err(Error::SolverUnknown)) => Ok(Answer::Unknown("the solver does not know".into())),
            Ok(Err(
                error @ (Error::SolverError(_)
                | Error::DecodeModel(_)
                | Error::ConcretizeError(_)
                | Error::ModelInvalid { .. }),
            )) => Ok(Answer::Unknown(error.to_string())),
            Ok(Err(error)) => Err(Failure::invalid(format!("nothing can be proved about these policies: {error}"))),
        }
    }

    async fn answer(
        &self,
        schema: &Schema,
        env: &RequestEnv,
        permits: &PolicySet,
        covers: Option<&PolicySet>,
    ) -> Result<Option<Env>, Error> {
        let permits = CompiledPolicySet::compile(permits, env, schema)?;
        let covers = covers.map(|covers| CompiledPolicySet::compile(covers, env, schema)).transpose()?;
        // A process for each question: what one left behind is no part of the next.
        let mut command = Command::new(&self.path);
        command.args(["--lang", "smt"]).kill_on_drop(true);
        let mut compiler = CedarSymCompiler::new(LocalSolver::from_command(&mut command)?)?;
        match &covers {
            None => compiler.check_always_denies_with_counterexample_opt(&permits).await,
            Some(covers) => compiler.check_implies_with_counterexample_opt(&permits, covers).await,
        }
    }
}
