//! Choices that are made by bytes, with the functions of `cli/tests/random`: what the generator of policies makes of a
//! fuzzer's input changes a little where the input does.

/// One byte for each choice; behind the last, numbers that its first four begin.
pub(crate) struct Random<'b> {
    bytes: std::slice::Iter<'b, u8>,
    further: u64,
}

impl<'b> Random<'b> {
    pub(crate) fn of_bytes(bytes: &'b [u8]) -> Self {
        let further = bytes.iter().take(4).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self { bytes: bytes.iter(), further }
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        if let Some(byte) = self.bytes.next() {
            return usize::from(*byte) % n;
        }
        // Knuth's MMIX; its upper bits are good enough for choices.
        self.further = self.further.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.further >> 33).unwrap() % n
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}
