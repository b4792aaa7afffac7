//! Where a walk is, in words; one buffer, so that a step costs no allocation.

/// Names with dots between.
#[derive(Debug, Default)]
pub(crate) struct Path {
    text: Vec<u8>,
}

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
        if !step.is_empty() {
            if !self.text.is_empty() {
                self.text.push(b'.');
            }
            self.text.extend_from_slice(step);
        }
        level
    }

    pub(crate) fn up(&mut self, level: Level) {
        self.text.truncate(level.0);
    }

    /// A new text begins.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
    }
}
