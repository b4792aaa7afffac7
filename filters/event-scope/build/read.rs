//! From the text of a table to its lines as values: what each of them says, and where it stands. The grammar is in
//! `src/kafka/table/README.md`.

/// All tables together.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) apis: Vec<Api>,
    pub(crate) embedded: Vec<Embedded>,
}

/// A line of a file, for messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct At {
    file: String,
    line: usize,
}

impl At {
    /// `file:line: problem`.
    pub(crate) fn says<T>(&self, problem: impl AsRef<str>) -> Result<T, String> {
        Err(format!("{}:{}: {}", self.file, self.line, problem.as_ref()))
    }
}

/// The first and the last version of something.
pub(crate) type Versions = (u8, u8);

/// `api 0 Produce 3-13, flexible 9+` and what stands below.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) at: At,
    pub(crate) key: i16,
    pub(crate) name: String,
    pub(crate) versions: Versions,
    /// The first flexible version.
    pub(crate) flexible: Option<u8>,
    pub(crate) request: Message,
    pub(crate) response: Message,
}

/// `embedded subscription 0-3` and what stands below.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) at: At,
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) message: Message,
}

/// The fields of a message, and the structs that they refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) fields: Vec<Field>,
    pub(crate) structs: Vec<(String, Vec<Field>)>,
}

/// What a field is written as, apart from being a list of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// `int32` and its like, `string`, `bytes`, `records`.
    Plain(&'static str),
    /// The fields that stand below.
    Below,
    /// The struct of this name.
    Named(String),
}

/// One line of a message.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) at: At,
    pub(crate) name: String,
    pub(crate) list: bool,
    pub(crate) kind: Type,
    pub(crate) versions: Option<Versions>,
    pub(crate) nullable: bool,
    /// The versions in which it may be null, where these are not all.
    pub(crate) null: Option<Versions>,
    pub(crate) tag: Option<u8>,
    /// The mark and the fields that it looks at.
    pub(crate) mark: Option<(String, Vec<String>)>,
    /// `@error!`: an answer's code goes here.
    pub(crate) answered: bool,
    /// `each A, B`: lists of the request.
    pub(crate) each: Vec<String>,
    /// `= A`: a field of the request.
    pub(crate) same: Option<String>,
    pub(crate) default: Option<i32>,
    pub(crate) below: Vec<Field>,
}

/// The types that a line may name.
const PLAIN: &[&str] =
    &["bool", "int8", "int16", "uint16", "int32", "int64", "float64", "uuid", "string", "bytes", "records"];

/// Adds what stands in one file.
pub(crate) fn read(file: &str, text: &str, table: &mut Table) -> Result<(), String> {
    let lines = lines(file, text)?;
    let mut rest = lines.as_slice();
    while let Some((head, after)) = rest.split_first() {
        if head.depth != 0 {
            return head.at.says("this stands under nothing: begin with `api KEY Name VERSIONS`");
        }
        let (below, behind) = below(head, after);
        match head.words.first().copied() {
            Some("api") => table.apis.push(api(head, below)?),
            Some("embedded") => table.embedded.push(embedded(head, below)?),
            _ => return head.at.says("write `api KEY Name VERSIONS` or `embedded NAME VERSIONS`"),
        }
        rest = behind;
    }
    Ok(())
}

/// A line that says something, cut into words.
struct Line<'t> {
    at: At,
    depth: usize,
    words: Vec<&'t str>,
    text: &'t str,
}

fn lines<'t>(file: &str, text: &'t str) -> Result<Vec<Line<'t>>, String> {
    let mut lines = Vec::new();
    for (n, text) in text.lines().enumerate() {
        let at = At { file: file.to_owned(), line: n + 1 };
        let said = text.trim_start();
        if said.is_empty() || said.starts_with('#') {
            continue;
        }
        let indent = text.len() - said.len();
        if !indent.is_multiple_of(2) || text.contains('\t') {
            return at.says("indent by two spaces for each level, without tabs");
        }
        lines.push(Line { at, depth: indent / 2, words: said.split_whitespace().collect(), text: said.trim_end() });
    }
    Ok(lines)
}

/// What stands below `head`, and what comes behind that.
fn below<'l, 't>(head: &Line<'_>, after: &'l [Line<'t>]) -> (&'l [Line<'t>], &'l [Line<'t>]) {
    let end = after.iter().position(|line| line.depth <= head.depth).unwrap_or(after.len());
    after.split_at(end)
}

fn api(head: &Line<'_>, lines: &[Line<'_>]) -> Result<Api, String> {
    let at = head.at.clone();
    let (said, flexible) = match head.text.split_once(", flexible ") {
        Some((said, versions)) => (said, Some(self::versions(&at, versions, u8::MAX)?.0)),
        None => (head.text, None),
    };
    let &[_, key, name, versions] = said.split_whitespace().collect::<Vec<_>>().as_slice() else {
        return at.says("write `api KEY Name FIRST-LAST`, and `, flexible FIRST+` where there are such versions");
    };
    let Ok(key) = key.parse() else { return at.says(format!("`{key}` is no API key")) };
    let versions = closed(&at, versions)?;
    let (mut request, mut response) = (None, None);
    let mut rest = lines;
    while let Some((head, after)) = rest.split_first() {
        let (below, behind) = below(head, after);
        let side = match head.text {
            "request" => &mut request,
            "response" => &mut response,
            _ => return head.at.says("below an API stand `request` and `response`"),
        };
        if side.replace(message(below, head.depth + 1, versions.1)?).is_some() {
            return head.at.says(format!("a second `{}`", head.text));
        }
        rest = behind;
    }
    let (Some(request), Some(response)) = (request, response) else {
        return at.says("an API has a `request` and a `response`");
    };
    Ok(Api { at, key, name: name.to_owned(), versions, flexible, request, response })
}

fn embedded(head: &Line<'_>, lines: &[Line<'_>]) -> Result<Embedded, String> {
    let at = head.at.clone();
    let &[_, name, versions] = head.words.as_slice() else { return at.says("write `embedded NAME FIRST-LAST`") };
    let versions = closed(&at, versions)?;
    let message = message(lines, head.depth + 1, versions.1)?;
    Ok(Embedded { at, name: name.to_owned(), versions, message })
}

fn message(lines: &[Line<'_>], depth: usize, last: u8) -> Result<Message, String> {
    let mut message = Message::default();
    let mut rest = lines;
    while let Some((head, after)) = rest.split_first() {
        if let &["struct", name] = head.words.as_slice() {
            let (below, behind) = below(head, after);
            message.structs.push((name.to_owned(), fields(below, depth + 1, last)?));
            rest = behind;
        } else {
            let (below, behind) = below(head, after);
            message.fields.push(field(head, below, depth, last)?);
            rest = behind;
        }
    }
    Ok(message)
}

fn fields(lines: &[Line<'_>], depth: usize, last: u8) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    let mut rest = lines;
    while let Some((head, after)) = rest.split_first() {
        let (below, behind) = below(head, after);
        fields.push(field(head, below, depth, last)?);
        rest = behind;
    }
    Ok(fields)
}

fn field(head: &Line<'_>, lines: &[Line<'_>], depth: usize, last: u8) -> Result<Field, String> {
    let at = head.at.clone();
    if head.depth != depth {
        return at.says(format!("indented by {} levels instead of {depth}", head.depth));
    }
    let [name, written, says @ ..] = head.words.as_slice() else { return at.says("write `Name type`, and what else") };
    let (bare, nullable) = written.strip_suffix('?').map_or((*written, false), |bare| (bare, true));
    let (bare, list) = bare.strip_prefix("[]").map_or((bare, false), |bare| (bare, true));
    let kind = match bare {
        "" if list => Type::Below,
        "{}" if !list => Type::Below,
        _ => match PLAIN.iter().find(|plain| **plain == bare) {
            Some(plain) => Type::Plain(plain),
            None if bare.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Named(bare.to_owned()),
            None => return at.says(format!("`{bare}` is no type")),
        },
    };
    let below = fields(lines, depth + 1, last)?;
    if below.is_empty() == (kind == Type::Below) {
        return at.says("fields stand below `[]` and `{}`, and below nothing else");
    }
    let mut field = Field {
        at,
        name: (*name).to_owned(),
        list,
        kind,
        versions: None,
        nullable,
        null: None,
        tag: None,
        mark: None,
        answered: false,
        each: Vec::new(),
        same: None,
        default: None,
        below,
    };
    annotations(&mut field, says, last)?;
    Ok(field)
}

fn annotations(field: &mut Field, says: &[&str], last: u8) -> Result<(), String> {
    let at = field.at.clone();
    let mut words = says.iter().copied();
    while let Some(word) = words.next() {
        let mut next = || words.next().map_or_else(|| at.says(format!("nothing behind `{word}`")), Ok);
        match word {
            "null" => field.null = Some(versions(&at, next()?, last)?),
            "tag" => field.tag = Some(number(&at, next()?)?),
            "default" => field.default = Some(number(&at, next()?)?),
            "=" => field.same = Some(next()?.to_owned()),
            "each" => loop {
                let name = next()?;
                field.each.push(name.trim_end_matches(',').to_owned());
                if !name.ends_with(',') {
                    break;
                }
            },
            _ if word.starts_with('@') => {
                let mut whole = word.to_owned();
                while whole.contains('(') && !whole.ends_with(')') {
                    whole += next()?;
                }
                let mark = whole.trim_start_matches('@');
                let bare = mark.trim_end_matches('!');
                field.answered = bare != mark;
                let (name, looks_at) = bare.trim_end_matches(')').split_once('(').unwrap_or((bare, ""));
                let looks_at = looks_at.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
                field.mark = Some((name.to_owned(), looks_at));
            }
            _ if field.versions.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) => {
                field.versions = Some(versions(&at, word, last)?);
            }
            _ => return at.says(format!("`{word}` says nothing here")),
        }
    }
    Ok(())
}

/// `3-13`, `7`, or `4+` up to `last`.
fn versions(at: &At, text: &str, last: u8) -> Result<Versions, String> {
    let (first, last) = match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(first), _) => (number(at, first)?, last),
        (None, Some((first, last))) => (number(at, first)?, number(at, last)?),
        (None, None) => (number(at, text)?, number(at, text)?),
    };
    if first > last { at.says(format!("`{text}` are no versions")) } else { Ok((first, last)) }
}

fn closed(at: &At, text: &str) -> Result<Versions, String> {
    if text.ends_with('+') {
        return at.says("say the last version as well");
    }
    versions(at, text, 0)
}

fn number<T: std::str::FromStr>(at: &At, text: &str) -> Result<T, String> {
    text.parse().or_else(|_| at.says(format!("`{text}` is no number that fits here")))
}
