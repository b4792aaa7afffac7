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
    /// The route whose template ends here.
    route: Option<usize>,
}

impl Trie {
    pub(super) fn new() -> Self {
        Self(vec![Node::default()])
    }

    /// Puts `route` where `segments` lead; the route that is there already is an error.
    pub(super) fn insert(&mut self, segments: &[Segment], route: usize) -> Result<(), usize> {
        let mut at = 0;
        for segment in segments {
            let fresh = self.0.len();
            let Some(node) = self.0.get_mut(at) else { return Err(route) };
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
        match self.0.get_mut(at) {
            Some(Node { route: Some(other), .. }) => Err(*other),
            Some(node) => {
                node.route = Some(route);
                Ok(())
            }
            None => Err(route),
        }
    }

    /// The route that covers `path`, which has lost its leading slash. From the left, a literal goes before a parameter.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.below(0, Some(path), &mut 0)
    }

    /// Its depth is that of the deepest template, whatever the path.
    fn below(&self, at: usize, path: Option<&str>, steps: &mut usize) -> Option<usize> {
        *steps = steps.saturating_add(1);
        let node = self.0.get(at)?;
        let Some(path) = path else { return node.route };
        let end = path.bytes().position(|b| b == b'/');
        let segment = path.get(..end.unwrap_or(path.len()))?;
        let rest = end.and_then(|end| path.get(end.saturating_add(1)..));
        let literal = node.literals.binary_search_by(|(known, _)| (**known).cmp(segment)).ok();
        if let Some((_, child)) = literal.and_then(|literal| node.literals.get(literal))
            && let Some(route) = self.below(*child, rest, steps)
        {
            return Some(route);
        }
        let child = node.parameter.filter(|_| !matches!(segment, "" | "." | ".."))?;
        self.below(child, rest, steps)
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
            trie.insert(Template::parse(template).unwrap().segments(), route).unwrap();
        }
        trie
    }

    fn steps(trie: &Trie, path: &str) -> usize {
        let mut steps = 0;
        trie.below(0, Some(path), &mut steps);
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
        assert_eq!(many.find("k1999/7/x"), Some(3998));
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
    fn one_place_holds_one_route() {
        let mut trie = Trie::new();
        for (template, expected) in [("/a/{x}", Ok(())), ("/a/{y}", Err(0)), ("/{x}/a", Ok(())), ("/a", Ok(()))] {
            let segments = Template::parse(template).unwrap();
            let route = trie.0.len();
            assert_eq!(trie.insert(segments.segments(), route).map_err(|_| 0), expected, "{template}");
        }
    }
}
