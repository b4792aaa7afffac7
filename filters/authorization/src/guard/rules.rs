//! What a response is judged by, checked once.

use std::fmt;

use partywall_tenancy::{Foreign, Response, ResponseFormat, ResponseOwner};

/// The most steps of a pointer.
const MAX_STEPS: usize = 16;
/// The least and the most bytes of `element_cap`; each open response may keep back as much.
const CAPS: std::ops::RangeInclusive<u32> = 1024..=16 * 1024 * 1024;

/// Where owners stand in the bodies of an operation, and what is done about other tenants'.
#[derive(Clone, Debug)]
pub struct Rules {
    steps: Vec<Step>,
    /// How many containers are open around an element: one more than the last `*` has before it, none without a `*`.
    element: usize,
    pub(super) format: ResponseFormat,
    pub(super) foreign: Foreign,
    /// In bytes.
    pub(super) cap: usize,
}

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of an object with this name.
    Key(Box<[u8]>),
    /// Every member of an array or object.
    Each,
}

impl Rules {
    /// Checks what an operation says. `None` where the owner stands in a header: there is no body to walk then.
    pub fn compile(response: &Response) -> Result<Option<Self>, RuleError> {
        let ResponseOwner::Pointer(pointer) = &response.owner else { return Ok(None) };
        let mut steps = Vec::new();
        let rest = pointer.strip_prefix('/').ok_or_else(|| RuleError::NoSlash(pointer.clone()))?;
        for step in rest.split('/') {
            steps.push(if step == "*" { Step::Each } else { Step::Key(unescape(step)?.into_bytes().into()) });
        }
        if steps.len() > MAX_STEPS {
            return Err(RuleError::TooLong(steps.len()));
        }
        let element = steps.iter().rposition(|step| *step == Step::Each).map_or(0, |at| at + 1);
        if element == 0 && response.format == ResponseFormat::Json && response.foreign == Foreign::Drop {
            return Err(RuleError::NothingToDrop);
        }
        if !CAPS.contains(&response.element_cap) {
            return Err(RuleError::Cap(response.element_cap));
        }
        let (format, foreign, cap) = (response.format, response.foreign, response.element_cap as usize);
        Ok(Some(Self { steps, element, format, foreign, cap }))
    }

    /// The same, but that foreign elements are only counted.
    pub(super) fn reporting(&self) -> Self {
        Self { foreign: Foreign::Report, ..self.clone() }
    }

    /// The step out of a container that `level` others are around, if the pointer is that long.
    pub(super) fn step(&self, level: usize) -> Option<&Step> {
        self.steps.get(level)
    }

    /// How many containers are open around an owner.
    pub(super) fn owner_level(&self) -> usize {
        self.steps.len()
    }

    /// How many containers are open around an element.
    pub(super) fn element_level(&self) -> usize {
        self.element
    }
}

/// RFC 6901, section 3: `~1` is a slash and `~0` a tilde.
fn unescape(step: &str) -> Result<String, RuleError> {
    let mut name = String::with_capacity(step.len());
    let mut letters = step.chars();
    while let Some(letter) = letters.next() {
        name.push(match letter {
            '~' => match letters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(RuleError::Tilde(step.to_owned())),
            },
            letter => letter,
        });
    }
    Ok(name)
}

/// Why a response cannot be guarded as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// The pointer does not begin with `/`.
    NoSlash(String),
    /// The pointer has too many steps.
    TooLong(usize),
    /// `~` stands before something else than `0` or `1`.
    Tilde(String),
    /// The owner is the whole document's, of which nothing would be left.
    NothingToDrop,
    /// The owner stands in a header: then the whole response is one element.
    HeaderIsWhole,
    /// The cap of an element is out of bounds.
    Cap(u32),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash(pointer) => write!(f, "`{pointer}` is no JSON pointer: it must begin with `/`"),
            Self::TooLong(steps) => write!(f, "a pointer may have {MAX_STEPS} steps, this has {steps}"),
            Self::Tilde(step) => write!(f, "`{step}`: `~` is written as `~0`, and `/` in a name as `~1`"),
            Self::NothingToDrop => {
                f.write_str("without a `*` the whole document is one element: it can be denied or masked, not dropped")
            }
            Self::HeaderIsWhole => {
                f.write_str("a header tells the owner of the whole response, which can be denied or reported")
            }
            Self::Cap(cap) => {
                write!(f, "an element may have {} bytes at least and {} at most, not {cap}", CAPS.start(), CAPS.end())
            }
        }
    }
}

impl std::error::Error for RuleError {}
