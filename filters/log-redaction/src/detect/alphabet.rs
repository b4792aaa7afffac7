//! The alphabet of the automaton: bytes that no pattern tells apart are read as one.
//!
//! Locators take upper and lower case alike, and most signs for nothing. Read so, a state has half as many ways on, and takes
//! half the memory: of what a text costs, most is waiting for that.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind};

/// What each byte is read as, from 0 on.
pub(super) fn of(patterns: &[Hir]) -> [u8; 256] {
    let mut sets: Vec<[bool; 256]> = Vec::new();
    let mut single = [false; 256];
    for pattern in patterns {
        each_set(pattern, &mut |ranges| match ranges {
            [(start, end)] if start == end => mark(&mut single, *start, *end),
            _ => {
                let mut set = [false; 256];
                ranges.iter().for_each(|(start, end)| mark(&mut set, *start, *end));
                if !sets.contains(&set) {
                    sets.push(set);
                }
            }
        });
    }
    for (byte, _) in single.iter().enumerate().filter(|(_, told)| **told) {
        let mut set = [false; 256];
        mark(&mut set, byte as u8, byte as u8);
        sets.push(set);
    }
    // All are alike until a set has one of them and not the other.
    let mut read = [0_u8; 256];
    for set in sets {
        let mut parts: Vec<(u8, bool)> = Vec::new();
        for (place, is_in) in read.iter_mut().zip(set) {
            let part = (*place, is_in);
            let known = parts.iter().position(|known| *known == part).unwrap_or(parts.len());
            if known == parts.len() {
                parts.push(part);
            }
            *place = known as u8;
        }
    }
    in_order(read)
}

/// What logs are mostly made of, the most frequent first: what is read as neighbours lies in the same line of memory.
const FREQUENT: &[u8] = b" etaoinsrl.dc0u1h2m-p:3/f4g65b789\"_,=ywvkxjq()z[]{}";

/// The same with numbers by how frequent bytes are.
fn in_order(mut read: [u8; 256]) -> [u8; 256] {
    let mut order: Vec<u8> = Vec::new();
    for byte in FREQUENT.iter().copied().chain(0..=255) {
        let class = read.get(usize::from(byte)).copied().unwrap_or_default();
        if !order.contains(&class) {
            order.push(class);
        }
    }
    for place in &mut read {
        *place = order.iter().position(|class| class == place).unwrap_or_default() as u8;
    }
    read
}

/// The pattern for a text that was read so. What stands around a match is not asked: that is for whoever looks at the hit.
pub(super) fn written_in(pattern: &Hir, read: &[u8; 256]) -> Hir {
    let as_read = |byte: &u8| read.get(usize::from(*byte)).copied().unwrap_or(*byte);
    let all = |parts: &[Hir]| parts.iter().map(|part| written_in(part, read)).collect();
    match pattern.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0.iter().map(as_read).collect::<Vec<u8>>()),
        HirKind::Class(class) => {
            let bytes = ranges(class).into_iter().flat_map(|(start, end)| start..=end);
            let places = bytes.map(|byte| as_read(&byte)).map(|place| ClassBytesRange::new(place, place));
            Hir::class(Class::Bytes(ClassBytes::new(places)))
        }
        HirKind::Look(_) => Hir::empty(),
        HirKind::Repetition(repetition) => {
            let mut repetition = repetition.clone();
            repetition.sub = Box::new(written_in(&repetition.sub, read));
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => written_in(&capture.sub, read),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
    }
}

fn mark(set: &mut [bool; 256], start: u8, end: u8) {
    for byte in start..=end {
        if let Some(place) = set.get_mut(usize::from(byte)) {
            *place = true;
        }
    }
}

fn ranges(class: &Class) -> Vec<(u8, u8)> {
    match class {
        Class::Bytes(bytes) => bytes.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        // Patterns are read without Unicode, so what is left of it is ASCII.
        Class::Unicode(characters) => {
            let ascii = |character: char| u8::try_from(u32::from(character)).unwrap_or(u8::MAX);
            characters.ranges().iter().map(|range| (ascii(range.start()), ascii(range.end()))).collect()
        }
    }
}

/// Calls `see` with every set of bytes that stands in `pattern`.
fn each_set(pattern: &Hir, see: &mut impl FnMut(&[(u8, u8)])) {
    match pattern.kind() {
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| see(&[(*byte, *byte)])),
        HirKind::Class(class) => see(&ranges(class)),
        HirKind::Repetition(repetition) => each_set(&repetition.sub, see),
        HirKind::Capture(capture) => each_set(&capture.sub, see),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| each_set(part, see)),
        HirKind::Empty | HirKind::Look(_) => {}
    }
}
