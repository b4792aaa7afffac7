//! Numbers that look random and are the same in every run (xorshift64*).

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end.max(1)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub fn from(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(alphabet))).collect()
    }

    pub fn digits(&mut self, length: usize) -> String {
        self.from(b"0123456789", length)
    }

    pub fn hex(&mut self, length: usize) -> String {
        self.from(b"0123456789abcdef", length)
    }

    pub fn alnum(&mut self, length: usize) -> String {
        self.from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
    }

    pub fn upper(&mut self, length: usize) -> String {
        self.from(b"ABCDEFGHJKLMNPRSTUVWXYZ", length)
    }
}
