//! Path templates as a tree of their segments, so that a request costs by the length of its path.

use super::template::Segment;

/// The most nodes that one request may come by. Templates under which it could be more are refused when they are
/// compiled, so that no path can be found by which a peer keeps a sidecar busy.
pub(super) const MAX_STEPS: usize = 256;

/// The templates of one method.
// INVARIANT: a node lies behind its parent, and the first one is the root.
#[derive(Clone, Debug)]
pub(super) struct Trie(Vec<Node>);

#[derive(Clone, Debug, Default)]
struct Node {
    /// By their text, so that one is found by halving.
    literals: Vec<(Box<str>, usize)>,
    parameter: Option<usize>,
    /// What the template that ends here leads to.
    leaf: Option<usize>,
}

impl Trie {
    pub(super) fn new() -> Self {
        Self(vec![Node::default()])
    }

    /// Puts `leaf` where `segments` lead, unless one is there already. Says which one is there now.
    pub(super) fn insert(&mut self, segments: &[Segment], leaf: usize) -> usize {
        let mut at = 0;
        for segment in segments {
            let fresh = self.0.len();
            let Some(node) = self.0.get_mut(at) else { return leaf };
            at = match segment {
                Segment::Parameter => *node.parameter.get_or_insert(fresh),
                Segment::Literal(text) => match node.literals.binary_search_by(|(known, _)| known.cmp(text)) {
                    Ok(known) => node.literals.get(known).map_or(fresh, |(_, child)| *child),
                    Err(place) => {
                        node.literals.insert(place, (text.clone(), fresh));
                        fresh
                    }
                },
            };
            if at == fresh {
                self.0.push(Node::default());
            }
        }
        self.0.get_mut(at).map_or(leaf, |node| *node.leaf.get_or_insert(leaf))
    }

    /// Offers what `path`, which has lost its leading slash, leads to, until `accept` takes one. From the left, a literal
    /// goes before a parameter.
    pub(super) fn find(&self, path: &str, accept: &mut impl FnMut(usize) -> bool) {
        self.below(0, Some(path), &mut 0, accept);
    }

    /// Its depth is that of the deepest template, whatever the path. Says whether the search is over.
    fn below(&self, at: usize, path: Option<&str>, steps: &mut usize, accept: &mut impl FnMut(usize) -> bool) -> bool {
        *steps = steps.saturating_add(1);
        let Some(node) = self.0.get(at) else { return false };
        let Some(path) = path else { return node.leaf.is_some_and(accept) };
        let end = path.bytes().position(|b| b == b'/');
        let Some(segment) = path.get(..end.unwrap_or(path.len())) else { return false };
        let rest = end.and_then(|end| path.get(end.saturating_add(1)..));
        let literal = node.literals.binary_search_by(|(known, _)| (**known).cmp(segment)).ok();
        if let Some((_, child)) = literal.and_then(|literal| node.literals.get(literal))
            && self.below(*child, rest, steps, accept)
        {
            return true;
        }
        let child = node.parameter.filter(|_| !matches!(segment, "" | "." | ".."));
        child.is_some_and(|child| self.below(child, rest, steps, accept))
    }

    /// No request comes by more nodes than this.
    pub(super) fn most_steps(&self) -> usize {
        let mut most = vec![0_usize; self.0.len()];
        // Children first.
        for (at, node) in self.0.iter().enumerate().rev() {
            let of = |child: usize| most.get(child).copied().unwrap_or_default();
            let literals = node.literals.iter().map(|(_, child)| of(*child)).max().unwrap_or_default();
            let steps = literals.saturating_add(node.parameter.map_or(0, of)).saturating_add(1);
            if let Some(place) = most.get_mut(at) {
                *place = steps;
            }
        }
        most.first().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    fn trie(templates: &[String]) -> Trie {
        let mut trie = Trie::new();
        for (route, template) in templates.iter().enumerate() {
            assert_eq!(trie.insert(Template::parse(template).unwrap().segments(), route), route);
        }
        trie
    }

    fn steps(trie: &Trie, path: &str) -> usize {
        let mut steps = 0;
        trie.below(0, Some(path), &mut steps, &mut |_| true);
        steps
    }

    #[test]
    fn steps_are_of_the_path_and_not_of_the_number_of_templates() {
        let templates: Vec<_> = (0..2000).flat_map(|n| [format!("/k{n}/{{id}}/x"), format!("/k{n}")]).collect();
        let (few, many) = (trie(&templates[..2]), trie(&templates));
        for path in ["k0", "k0/7/x", "k0/7/y", "z", "k0/7/x/and/on/and/on"] {
            assert_eq!(steps(&few, path), steps(&many, path), "{path}");
        }
        assert_eq!((steps(&many, "k1999/7/x"), many.most_steps()), (4, 4));
        let mut found = None;
        many.find("k1999/7/x", &mut |leaf| found.replace(leaf).is_none());
        assert_eq!(found, Some(3998));
    }

    #[test]
    fn no_path_costs_more_than_what_was_reckoned() {
        // Each segment a literal or a parameter: 2^d templates, and the path of literals that ends otherwise tries all.
        let templates: Vec<_> = (0..16_u32)
            .map(|n| (0..4).map(|bit| if n >> bit & 1 == 1 { "/a" } else { "/{_}" }).collect::<String>() + "/z")
            .map(|t| {
                t.split('/').enumerate().map(|(n, s)| s.replace('_', &format!("p{n}"))).collect::<Vec<_>>().join("/")
            })
            .collect();
        let trie = trie(&templates);
        assert_eq!((steps(&trie, "a/a/a/a/y"), steps(&trie, "a/a/a/a/z")), (31, 6));
        assert_eq!(trie.most_steps(), 47);
    }

    #[test]
    fn one_place_holds_one_leaf() {
        let mut trie = Trie::new();
        for (leaf, (template, there)) in
            [("/a/{x}", 0), ("/a/{y}", 0), ("/{x}/a", 2), ("/a", 3)].into_iter().enumerate()
        {
            let segments = Template::parse(template).unwrap();
            assert_eq!(trie.insert(segments.segments(), leaf), there, "{template}");
        }
    }

    #[test]
    fn what_is_not_taken_is_followed_by_the_next_best() {
        let trie = trie(&["/a/{x}", "/{x}/b", "/a/b", "/{x}/{y}"].map(str::to_owned));
        let mut offered = Vec::new();
        trie.find("a/b", &mut |leaf| {
            offered.push(leaf);
            false
        });
        assert_eq!(offered, [2, 0, 1, 3]);
    }
}
