//! Child processes that do not outlive us, whatever becomes of us.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait;

const PATIENCE: Duration = Duration::from_secs(3);

/// A running program with its output in files.
pub struct Process {
    name: String,
    child: Child,
    errors: PathBuf,
}

impl Process {
    /// Starts `command`, which is called `name` in messages; its output goes to `<logs>/<name>.out` and `.err`.
    pub fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self> {
        let errors = logs.join(format!("{name}.err"));
        let output = File::create(logs.join(format!("{name}.out")))?;
        // A group of its own: ctrl-c reaches us alone, and we stop the children in order.
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(File::create(&errors)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}: {}", command.get_program().display()))?;
        guard(child.id());
        Ok(Self { name: name.into(), child, errors })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident set, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
    }

    /// The time that its threads have been on a CPU.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            // One that ends just now counts for nothing.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// What it wrote to standard error so far.
    pub fn errors(&self) -> String {
        fs::read(&self.errors).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// An error if it has ended: with its exit status, the busy port if that is why, and its last words.
    pub fn check_alive(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let errors = self.errors();
        if let Some(line) = errors.lines().find(|l| l.contains("cannot bind") || l.contains("Address already in use")) {
            bail!("{} found a port busy: {line}", self.name);
        }
        let mut last: Vec<&str> = errors.lines().rev().take(12).collect();
        last.reverse();
        bail!("{} ended with {status}; all of it in {}:\n{}", self.name, self.errors.display(), last.join("\n"));
    }

    /// Waits for it to end by itself.
    pub fn wait_for_end(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait::until(limit, || self.child.try_wait().ok().flatten())
    }

    /// Asks it to end, then insists.
    pub fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().is_ok_and(|s| s.success());
        if !asked || self.wait_for_end(PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        unguard(self.child.id());
    }
}

/// Reads `+pid` and `-pid` lines until we are gone, however we went, and then stops what is left.
/// A mesh that tests share lives in a static, which Rust never drops.
const GUARDIAN: &str = r#"
left=""
while read -r line; do
  pid="${line#?}"
  case "$line" in
    +*) left="$left $pid " ;;
    -*) left="${left%% $pid *} ${left#* $pid }" ;;
  esac
done
[ -z "${left// /}" ] || { kill $left; sleep 2; kill -9 $left; } 2>/dev/null
"#;

static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);

fn guard(pid: u32) {
    tell(format!("+{pid}\n"));
}

fn unguard(pid: u32) {
    tell(format!("-{pid}\n"));
}

fn tell(line: String) {
    let Ok(mut pipe) = PIPE.lock() else { return };
    if pipe.is_none() {
        let guardian = Command::new("bash")
            .args(["-c", GUARDIAN])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        *pipe = guardian.ok().and_then(|mut g| g.stdin.take());
    }
    if let Some(pipe) = pipe.as_mut() {
        let _ = pipe.write_all(line.as_bytes());
    }
}
