//! What is said about the branches that were taken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// One case that was run.
#[derive(Clone, Default)]
pub(super) struct Measured {
    /// `folder/name`.
    pub(super) case: String,
    /// The numbers of the counters it moved.
    pub(super) branches: BTreeSet<usize>,
    /// How many counters there are.
    pub(super) of: usize,
}

/// All of them, compared within their folders.
pub(super) struct Report {
    measured: Vec<Measured>,
    /// Cases of one folder that take the same branches, two or more.
    pub(super) same: Vec<Vec<String>>,
}

impl Report {
    pub(super) fn of(measured: Vec<Measured>) -> Self {
        let mut alike: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for one in &measured {
            alike.entry((folder(&one.case), &one.branches)).or_default().push(one.case.clone());
        }
        let mut same: Vec<_> = alike.into_values().filter(|cases| cases.len() > 1).collect();
        same.sort();
        Self { measured, same }
    }

    /// A line per folder, then the cases that are the same.
    pub(super) fn print(&self, package: &str) {
        println!("\n{:<14}{:>6}{:>14}", "folder", "cases", "branch sets");
        for (folder, (cases, sets)) in self.folders() {
            println!("{folder:<14}{cases:>6}{sets:>14}");
        }
        let (reached, of) = self.reached();
        println!(
            "{:<14}{:>6}\n\n{reached} of {of} counters of {package} are reached by a case.",
            "all",
            self.measured.len()
        );
        for cases in &self.same {
            println!("the same branches: {}", cases.join(", "));
        }
        if !self.same.is_empty() {
            println!("Put one into `also:` of the other, or let it take a way of its own.");
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (reached, of) = self.reached();
        let folders = self.folders().into_iter();
        let cases = self.measured.iter();
        json!({
            "counters": of,
            "reached": reached,
            "folders": folders.map(|(name, (cases, sets))| json!({ "folder": name, "cases": cases, "branch_sets": sets }))
                .collect::<Vec<_>>(),
            "cases": cases.map(|one| json!({ "case": one.case, "branches": one.branches.len() })).collect::<Vec<_>>(),
            "same": self.same,
        })
    }

    fn folders(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut folders: BTreeMap<&str, Vec<&Measured>> = BTreeMap::new();
        for one in &self.measured {
            folders.entry(folder(&one.case)).or_default().push(one);
        }
        let sets = |cases: &[&Measured]| cases.iter().map(|one| &one.branches).collect::<BTreeSet<_>>().len();
        folders.into_iter().map(|(name, cases)| (name, (cases.len(), sets(&cases)))).collect()
    }

    fn reached(&self) -> (usize, usize) {
        let reached: BTreeSet<_> = self.measured.iter().flat_map(|one| &one.branches).collect();
        (reached.len(), self.measured.iter().map(|one| one.of).max().unwrap_or(0))
    }
}

fn folder(case: &str) -> &str {
    case.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_compared_within_their_folder() {
        let one = |case: &str, branches: &[usize]| Measured {
            case: case.into(),
            branches: branches.iter().copied().collect(),
            of: 9,
        };
        let all = [one("a/1", &[1, 2]), one("a/2", &[1, 3]), one("a/3", &[1, 2]), one("b/1", &[1, 3])];
        let report = Report::of(all.to_vec());
        assert_eq!(report.same, [["a/1", "a/3"]]);
        assert_eq!(report.folders(), BTreeMap::from([("a", (3, 2)), ("b", (1, 1))]));
        assert_eq!(report.reached(), (3, 9));
        assert!(Report::of(all[..2].to_vec()).same.is_empty());
    }
}
