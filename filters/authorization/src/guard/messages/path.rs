//! The way to an owner by numbers of fields, and what becomes of a message along it.

use partywall_tenancy::Foreign;

use super::super::rules::{MAX_STEPS, RuleError};
use super::wire::{Fields, MAX_NUMBER, write_varint};
use super::{Counts, MASK, Refused};

/// Where owners stand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath {
    steps: Vec<u32>,
    /// How many steps lead to an element: the last one with a `*` behind it is the last of them; none without a `*`.
    element: usize,
}

/// What messages are judged by.
pub(super) struct Judging<'t> {
    pub(super) tenant: &'t [u8],
    pub(super) foreign: Foreign,
    pub(super) counts: Counts,
}

/// What is to become of a message.
pub(super) enum Fate {
    Pass,
    /// This stands for it.
    Changed(Vec<u8>),
    /// All of it is another's: it is left out,
    LeaveOut,
    /// or an empty one stands for it.
    Mask,
}

impl FieldPath {
    /// `1.*.3`: numbers of fields, `*` behind those of which each value is an element of its own.
    pub(crate) fn compile(text: &str) -> Result<Self, RuleError> {
        let wrong = || RuleError::NoFields(text.to_owned());
        let (mut steps, mut element, mut may_star) = (Vec::new(), 0, false);
        for step in text.split('.') {
            if step == "*" && may_star {
                (element, may_star) = (steps.len(), false);
                continue;
            }
            let plain = step.bytes().all(|b| b.is_ascii_digit()) && !step.starts_with('0');
            let number = step.parse().ok().filter(|number| plain && (1..=MAX_NUMBER).contains(number));
            steps.push(number.ok_or_else(wrong)?);
            may_star = true;
        }
        if steps.len() > MAX_STEPS {
            return Err(RuleError::TooLong(steps.len()));
        }
        Ok(Self { steps, element })
    }

    /// Judges one message.
    pub(super) fn judge(&self, message: &[u8], judging: &mut Judging<'_>) -> Result<Fate, Refused> {
        if self.element > 0 {
            return Ok(self.elements(0, message, judging)?.map_or(Fate::Pass, Fate::Changed));
        }
        if judging.is_masked(message) {
            return Ok(Fate::Pass);
        }
        Ok(match judging.settle(self.is_foreign(0, message, judging.tenant)?)? {
            None => Fate::Pass,
            Some(Foreign::Drop) => Fate::LeaveOut,
            Some(_) => Fate::Mask,
        })
    }

    /// Judges the elements in what the first `level` steps led to. Gives what is to stand for it, where it changes.
    fn elements(&self, level: usize, message: &[u8], judging: &mut Judging<'_>) -> Result<Option<Vec<u8>>, Refused> {
        let mut changed: Option<Vec<u8>> = None;
        let mut copied = 0;
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            if self.steps.get(level) != Some(&field.number) {
                continue;
            }
            let value = field.bytes.ok_or(Refused::NoOwner)?;
            if judging.is_masked(value) && level + 1 == self.element {
                continue;
            }
            // `None` within leaves nothing of the field.
            let now = if level + 1 < self.element {
                self.elements(level + 1, value, judging)?.map(Some)
            } else {
                match judging.settle(self.is_foreign(level + 1, value, judging.tenant)?)? {
                    None => None,
                    Some(Foreign::Drop) => Some(None),
                    Some(_) => Some(Some(MASK.to_vec())),
                }
            };
            let Some(now) = now else { continue };
            let out = changed.get_or_insert_default();
            out.extend_from_slice(message.get(copied..field.start).unwrap_or_default());
            if let Some(now) = now {
                out.extend_from_slice(message.get(field.start..field.tag_end).unwrap_or_default());
                write_varint(now.len(), out);
                out.extend_from_slice(&now);
            }
            copied = field.end;
        }
        if let Some(out) = &mut changed {
            out.extend_from_slice(message.get(copied..).unwrap_or_default());
        }
        Ok(changed)
    }

    /// Whether an owner in `value`, to which the first `level` steps led, is another tenant.
    ///
    /// INVARIANT: each message on the way has the field that leads on, so that each element was told an owner; all of
    /// equal fields are looked at, also where a reader would take the last one or make one of them all.
    fn is_foreign(&self, level: usize, value: &[u8], tenant: &[u8]) -> Result<bool, Refused> {
        let Some(number) = self.steps.get(level) else { return Ok(value != tenant) };
        let (mut found, mut foreign) = (false, false);
        let mut fields = Fields::of(value);
        while let Some(field) = fields.next()? {
            if field.number == *number {
                let value = field.bytes.ok_or(Refused::NoOwner)?;
                foreign |= self.is_foreign(level + 1, value, tenant)?;
                found = true;
            }
        }
        if found { Ok(foreign) } else { Err(Refused::NoOwner) }
    }
}

impl Judging<'_> {
    /// Whether an element says nothing, as those do that were masked: by another path, or by the filter of the hop
    /// before.
    fn is_masked(&self, value: &[u8]) -> bool {
        self.foreign == Foreign::Mask && value == MASK
    }

    /// Counts an element. `None` where it passes, else what is done about it.
    fn settle(&mut self, foreign: bool) -> Result<Option<Foreign>, Refused> {
        let (count, done) = match self.foreign {
            _ if !foreign => (&mut self.counts.own, None),
            Foreign::Deny => return Err(Refused::Foreign),
            Foreign::Drop => (&mut self.counts.dropped, Some(Foreign::Drop)),
            Foreign::Mask => (&mut self.counts.masked, Some(Foreign::Mask)),
            Foreign::Report => (&mut self.counts.reported, None),
        };
        *count += 1;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_numbers_with_stars_behind_them() {
        let path = |text: &str| FieldPath::compile(text).map(|path| (path.steps, path.element));
        assert_eq!(path("3"), Ok((vec![3], 0)));
        assert_eq!(path("1.3"), Ok((vec![1, 3], 0)));
        assert_eq!(path("1.*.3"), Ok((vec![1, 3], 1)));
        assert_eq!(path("1.*.2.*"), Ok((vec![1, 2], 2)));
        for text in ["", ".", "1.", "*", "*.1", "1.*.*", "0", "01", "+1", "536870912", "1.a", "1,3", "1 .3"] {
            assert_eq!(path(text), Err(RuleError::NoFields(text.into())), "{text}");
        }
        assert_eq!(path(&["1"; 17].join(".")), Err(RuleError::TooLong(17)));
    }
}
