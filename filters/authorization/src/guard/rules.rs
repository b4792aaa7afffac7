//! What a response is judged by, checked once.

use std::fmt;
use std::sync::Arc;

use partywall_tenancy::{Foreign, Outlived, Response, ResponseFormat, ResponseOwner};

use super::messages::FieldPath;

/// The most places where owners stand: each is a reader of its own, with an element that it keeps back.
const MAX_OWNERS: usize = 4;
/// The most steps of a pointer.
pub(super) const MAX_STEPS: usize = 16;
/// The least and the most bytes of `element_cap`; each open response may keep back as much for each place.
const CAPS: std::ops::RangeInclusive<u32> = 1024..=16 * 1024 * 1024;

/// How bodies of an operation are read.
#[derive(Clone, Debug)]
pub struct Rules(pub(super) Reading);

#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// JSON, as one text, as lines or as events, by each pointer to owners in turn, and after them by their age.
    Text(ResponseFormat, Vec<Arc<Pointer>>, Option<Young>),
    /// Messages of gRPC.
    Messages(Arc<Messages>),
}

/// Where times stand in JSON texts.
#[derive(Clone, Debug)]
pub(super) struct Young {
    pub(super) pointer: Arc<Pointer>,
    /// How long ago they may be, in seconds.
    pub(super) age: u32,
}

/// Where owners stand in messages.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    pub(super) paths: Vec<FieldPath>,
    pub(super) foreign: Foreign,
    /// Of one message, in bytes.
    pub(super) cap: usize,
}

/// Where owners, or times, stand in a JSON text, and what is done about elements of others, or too old ones.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    steps: Vec<Step>,
    /// How many containers are open around an element: one more than the last `*` has before it, none without a `*`.
    element: usize,
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
    /// Checks what an operation says. `None` where owners stand in headers alone: there is no body to walk then.
    pub fn compile(response: &Response) -> Result<Option<Self>, RuleError> {
        let least = usize::from(response.since.is_none());
        if !(least..=MAX_OWNERS).contains(&response.owners.len()) {
            return Err(RuleError::Owners(response.owners.len()));
        }
        if !CAPS.contains(&response.element_cap) {
            return Err(RuleError::Cap(response.element_cap));
        }
        let (format, foreign, cap) = (response.format, response.foreign, response.element_cap as usize);
        let is_grpc = format == ResponseFormat::Grpc;
        let (mut pointers, mut paths) = (Vec::new(), Vec::new());
        for owner in &response.owners {
            match owner {
                ResponseOwner::Header(_) => {}
                ResponseOwner::Pointer(pointer) if !is_grpc => {
                    pointers.push(Arc::new(Pointer::compile(pointer, format, foreign, cap)?));
                }
                ResponseOwner::Fields(path) if is_grpc => paths.push(FieldPath::compile(path)?),
                ResponseOwner::Pointer(text) | ResponseOwner::Fields(text) => {
                    return Err(RuleError::OfAnotherFormat(text.clone()));
                }
            }
        }
        let young = match &response.since {
            Some(_) if is_grpc => return Err(RuleError::TimeInMessages),
            Some(since) => {
                let outlived = match since.outlived {
                    Outlived::Deny => Foreign::Deny,
                    Outlived::Drop => Foreign::Drop,
                    Outlived::Mask => Foreign::Mask,
                };
                let pointer = Arc::new(Pointer::compile(&since.pointer, format, outlived, cap)?);
                Some(Young { pointer, age: since.age })
            }
            None => None,
        };
        Ok(match (pointers.is_empty() && young.is_none(), paths.is_empty()) {
            (true, true) => None,
            (false, _) => Some(Self(Reading::Text(format, pointers, young))),
            (_, false) => Some(Self(Reading::Messages(Arc::new(Messages { paths, foreign, cap })))),
        })
    }
}

impl Rules {
    /// Whether elements may be left out or masked, so that another body leaves than came.
    pub(super) fn change(&self) -> bool {
        let changes = |foreign: Foreign| matches!(foreign, Foreign::Drop | Foreign::Mask);
        match &self.0 {
            Reading::Text(_, pointers, young) => {
                pointers.iter().chain(young.iter().map(|young| &young.pointer)).any(|pointer| changes(pointer.foreign))
            }
            Reading::Messages(messages) => changes(messages.foreign),
        }
    }

    /// Whether owners stand in the body.
    pub(super) fn read_owners(&self) -> bool {
        !matches!(&self.0, Reading::Text(_, pointers, _) if pointers.is_empty())
    }
}

impl Pointer {
    fn compile(pointer: &str, format: ResponseFormat, foreign: Foreign, cap: usize) -> Result<Self, RuleError> {
        let mut steps = Vec::new();
        let rest = pointer.strip_prefix('/').ok_or_else(|| RuleError::NoSlash(pointer.to_owned()))?;
        for step in rest.split('/') {
            steps.push(if step == "*" { Step::Each } else { Step::Key(unescape(step)?.into_bytes().into()) });
        }
        if steps.len() > MAX_STEPS {
            return Err(RuleError::TooLong(steps.len()));
        }
        let element = steps.iter().rposition(|step| *step == Step::Each).map_or(0, |at| at + 1);
        if element == 0 && format == ResponseFormat::Json && foreign == Foreign::Drop {
            return Err(RuleError::NothingToDrop);
        }
        Ok(Self { steps, element, foreign, cap })
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
    /// No place where an owner stands, or too many.
    Owners(usize),
    /// A pointer into messages, or numbers of fields elsewhere.
    OfAnotherFormat(String),
    /// A time in messages of gRPC.
    TimeInMessages,
    /// Not numbers of fields with points between, and `*` behind some of them.
    NoFields(String),
    /// The operation is a call of gRPC and the format another one, or the other way round.
    NotOfThisCall,
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
            Self::Owners(0) => f.write_str("no place is named where an owner, or a time, stands"),
            Self::Owners(places) => write!(f, "owners may stand in {MAX_OWNERS} places, these are {places}"),
            Self::OfAnotherFormat(place) => write!(
                f,
                "`{place}` does not go with the format: messages of gRPC have numbers of fields, as `1.*.3`, and the others JSON pointers"
            ),
            Self::TimeInMessages => f.write_str("`since` is a pointer into JSON, and messages of gRPC have none"),
            Self::NoFields(path) => write!(
                f,
                "`{path}` does not lead to a field: write the numbers that lead there with points between, and `*` behind one that is repeated"
            ),
            Self::NotOfThisCall => f.write_str("`format: grpc` is for calls of gRPC, and they have no other format"),
            Self::Cap(cap) => {
                write!(f, "an element may have {} bytes at least and {} at most, not {cap}", CAPS.start(), CAPS.end())
            }
        }
    }
}

impl std::error::Error for RuleError {}
