//! CPU time of one thread of another process, as the kernel's scheduler accounts it: in nanoseconds, and without the
//! time that others held the CPU.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A thread that can be asked what it used.
pub struct Thread(PathBuf);

impl Thread {
    /// The thread of process `id` whose name begins so.
    pub fn named(id: u32, name: &str) -> Result<Self> {
        let tasks = format!("/proc/{id}/task");
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
            let path = task?.path();
            if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.starts_with(name)) {
                return Ok(Self(path.join("schedstat")));
            }
        }
        anyhow::bail!("process {id} has no thread `{name}`")
    }

    /// What it used so far, in nanoseconds. Up to date while it waits.
    pub fn used(&self) -> Result<u64> {
        let text = fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
        first.with_context(|| format!("{} holds no number: `{text}`", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_found_by_its_name_and_uses_more_and_more() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::Builder::new().name("busy-thread".into());
        // A thread names itself before it does anything else.
        let (begin, begun) = std::sync::mpsc::channel();
        let busy = busy.spawn(move || {
            begin.send(()).unwrap();
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {}
        });
        let busy = busy.unwrap();
        begun.recv().unwrap();
        let thread = Thread::named(std::process::id(), "busy").unwrap();
        let before = thread.used().unwrap();
        while thread.used().unwrap() == before {}
        drop(stop);
        busy.join().unwrap();
        assert!(Thread::named(std::process::id(), "nobody").is_err());
    }
}
