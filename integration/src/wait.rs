//! Waiting for what happens in another process.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Asks `question` until it has an answer or `limit` is over.
pub fn until<T>(limit: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}
