//! Sets and records compared, and texts matched.

use super::evaluate::{Evaluation, Failed, Outcome};
use crate::{Entity, Place, Slice, Value, World};

impl<W: World> Evaluation<'_, W> {
    /// Cedar's `==`: sets are equal when each holds what the other holds, whatever the order.
    pub(super) fn equal(&self, left: Value, right: Value) -> Outcome<bool> {
        self.step()?;
        match (left, right) {
            (Value::Set(a), Value::Set(b)) => Ok(a == b || (self.contains_all(a, b)? && self.contains_all(b, a)?)),
            (Value::Record(a), Value::Record(b)) => {
                if a.len != b.len {
                    return Ok(false);
                }
                for at in 0..a.len {
                    if !self.equal(self.element(a, at)?, self.element(b, at)?)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (left, right) => Ok(left == right),
        }
    }

    pub(super) fn contains(&self, set: Slice, value: Value) -> Outcome<bool> {
        if let (Place::World, Value::Text(text)) = (set.place, value)
            && let Some(holds) = self.world.holds(set, self.text(text)?)
        {
            return self.step().map(|()| holds);
        }
        for at in 0..set.len {
            if self.equal(self.element(set, at)?, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn contains_all(&self, set: Slice, part: Slice) -> Outcome<bool> {
        for at in 0..part.len {
            if !self.contains(set, self.element(part, at)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn contains_any(&self, set: Slice, part: Slice) -> Outcome<bool> {
        for at in 0..part.len {
            if self.contains(set, self.element(part, at)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `child` is in one of these, all of which must be entities, whichever decides.
    pub(super) fn is_in_one(&self, child: Entity, set: Slice) -> Outcome<bool> {
        let mut found = false;
        for at in 0..set.len {
            self.step()?;
            let Value::Entity(ancestor) = self.element(set, at)? else { return Err(Failed) };
            found = found || self.is_in(child, ancestor);
        }
        Ok(found)
    }
}

/// Whether `text` is `parts` with anything between them: `["a", "", "b"]` is `a**b`.
pub(super) fn is_like(text: &str, parts: &[String]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    let Some((last, middle)) = rest.split_last() else { return text == first };
    let Some(mut text) = text.strip_prefix(first.as_str()).and_then(|text| text.strip_suffix(last.as_str())) else {
        return false;
    };
    // The first place of each part leaves the most for those behind it.
    for part in middle {
        match text.split_once(part.as_str()) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_written() {
        let like = |text, parts: &[&str]| is_like(text, &parts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(like("", &[""]) && like("", &["", ""]) && like("abc", &["abc"]) && like("abc", &["a", "c"]));
        assert!(like("abcabc", &["", "bc", ""]) && like("aXbYc", &["a", "b", "c"]) && like("é*", &["é", ""]));
        assert!(
            !like("a", &["a", "a"]) && !like("abc", &["a", "d", "c"]) && !like("x", &[""]) && !like("ab", &["abc"])
        );
        assert!(like("abca", &["", "a", "b", ""]) && !like("ba", &["", "a", "b", ""]));
        assert!(like("aa", &["a", "a"]) && like("ababab", &["ab", "ab", ""]) && !like("abab", &["ab", "ab", "ab"]));
    }
}
