//! What `{:?}` shows of the oracle's messages, as a tree: the same code then compares all of its types.

/// A value as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Numbers, strings with their quotes, bytes, uuids.
    Leaf(String),
    /// `Name { field: value }` and `Name(value)`, whose fields are numbered.
    Struct(String, Vec<(String, Tree)>),
    List(Vec<Tree>),
}

impl Tree {
    pub fn of(value: &impl std::fmt::Debug) -> Self {
        let shown = format!("{value:?}");
        let mut rest = shown.as_str();
        let tree = Self::read(&mut rest);
        assert!(rest.is_empty(), "left over: {rest}");
        tree
    }

    fn read(rest: &mut &str) -> Self {
        if let Some(after) = rest.strip_prefix('[') {
            *rest = after;
            return Self::List(Self::until(rest, ']', Self::read));
        }
        let word = rest.find(|c: char| !c.is_alphanumeric() && !"_.-".contains(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(word);
        if after.starts_with('"') {
            let quoted = quoted(after);
            let (leaf, after) = rest.split_at(word + quoted);
            *rest = after;
            return Self::Leaf(leaf.to_owned());
        }
        let open = after.trim_start().chars().next();
        match open {
            Some('{') => {
                *rest = &after.trim_start()[1..];
                Self::Struct(name.to_owned(), Self::until(rest, '}', field))
            }
            Some('(') => {
                *rest = &after.trim_start()[1..];
                let values = Self::until(rest, ')', Self::read);
                Self::Struct(name.to_owned(), values.into_iter().map(|value| (String::new(), value)).collect())
            }
            _ => {
                *rest = after;
                Self::Leaf(name.to_owned())
            }
        }
    }

    fn until<T>(rest: &mut &str, close: char, mut item: impl FnMut(&mut &str) -> T) -> Vec<T> {
        let mut items = Vec::new();
        loop {
            *rest = rest.trim_start_matches([' ', ',']);
            if let Some(after) = rest.strip_prefix(close) {
                *rest = after;
                return items;
            }
            items.push(item(rest));
        }
    }

    /// The string, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Tree::Leaf(leaf) => leaf.strip_prefix('"')?.strip_suffix('"'),
            _ => None,
        }
    }

    /// Every leaf changed.
    pub fn map(self, change: &impl Fn(String) -> String) -> Self {
        match self {
            Tree::Leaf(leaf) => Tree::Leaf(change(leaf)),
            Tree::List(items) => Tree::List(items.into_iter().map(|item| item.map(change)).collect()),
            Tree::Struct(name, fields) => {
                Tree::Struct(name, fields.into_iter().map(|(name, value)| (name, value.map(change))).collect())
            }
        }
    }

    /// Every `unknown_tagged_fields` empty, and how many there were.
    pub fn without_unknown_tags(self, found: &mut usize) -> Self {
        match self {
            Tree::Leaf(_) => self,
            Tree::List(items) => Tree::List(items.into_iter().map(|item| item.without_unknown_tags(found)).collect()),
            Tree::Struct(name, fields) => {
                let fields = fields.into_iter().map(|(name, value)| match (name.as_str(), value) {
                    ("unknown_tagged_fields", Tree::Struct(of, tags)) => {
                        *found += tags.len();
                        (name, Tree::Struct(of, Vec::new()))
                    }
                    (_, value) => (name, value.without_unknown_tags(found)),
                });
                Tree::Struct(name, fields.collect())
            }
        }
    }

    /// Without the elements of lists in which `drops` says so of a string, asked in order; strings outside of lists
    /// stay.
    pub fn dropping(&mut self, in_list: bool, drops: &mut impl FnMut(&str) -> bool) -> bool {
        match self {
            Tree::Leaf(_) => in_list && self.text().is_some_and(drops),
            Tree::List(items) => {
                items.retain_mut(|item| !item.dropping(true, drops));
                false
            }
            Tree::Struct(_, fields) => fields.iter_mut().any(|(_, value)| value.dropping(in_list, drops)),
        }
    }
}

fn field(rest: &mut &str) -> (String, Tree) {
    let (name, after) = rest.split_once(':').unwrap();
    let name = name.trim().to_owned();
    *rest = after.trim_start();
    (name, Tree::read(rest))
}

/// The size of a string in quotes at the beginning.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (n, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return n + 1,
            _ => {}
        }
    }
    panic!("a string without end");
}
