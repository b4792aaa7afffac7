//! Where a walk is, in words; one buffer, so that a step costs no allocation.

/// Names with dots between.
#[derive(Debug, Default)]
pub(crate) struct Path {
    text: Vec<u8>,
    /// Whether it became longer than it may be; what is handed out since is cut.
    too_long: bool,
}

/// The most bytes of a path. It is handed out with each leaf, so a record of long names around many leaves would cost by
/// the product of both.
const LONGEST: usize = 4 * 1024;

/// The place that a walk comes back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level(usize);

impl Path {
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// A step down; an empty one is none.
    pub(crate) fn down(&mut self, step: &[u8]) -> Level {
        let level = Level(self.text.len());
        if self.text.len() + step.len() >= LONGEST {
            self.too_long = true;
        } else if !step.is_empty() {
            if !self.text.is_empty() {
                self.text.push(b'.');
            }
            self.text.extend_from_slice(step);
        }
        level
    }

    /// Where it is.
    pub(crate) fn level(&self) -> Level {
        Level(self.text.len())
    }

    pub(crate) fn up(&mut self, level: Level) {
        self.text.truncate(level.0);
    }

    /// Whether it became too long since that was asked.
    pub(crate) fn was_too_long(&mut self) -> bool {
        std::mem::take(&mut self.too_long)
    }

    /// A new text begins.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.too_long = false;
    }
}
