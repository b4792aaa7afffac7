//! Figures: printed as a table, written as JSON.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::artefacts;

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured, as `jwt/cold/RS256/host`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The least and the most of all rounds, where there were several.
    pub spread: Option<(f64, f64)>,
    /// What it is compared with, and how often that goes into it.
    pub ratio_to: Option<(String, f64)>,
}

impl Figure {
    fn json(&self) -> Value {
        let ratio = self.ratio_to.as_ref().map(|(name, ratio)| json!({ "name": name, "ratio": rounded(*ratio) }));
        json!({ "name": self.name, "value": rounded(self.value), "unit": self.unit, "ratio_to": ratio })
    }
}

/// All figures of a bench.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds one.
    pub fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    /// Writes `target/bench/<name>.json`: a list of objects with `name`, `value`, `unit`, and `ratio_to`, which is
    /// null or an object with `name` and `ratio`.
    pub fn write(&self, name: &str) -> Result<PathBuf> {
        let folder = artefacts::target().join("bench");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.json"));
        let list: Vec<Value> = self.0.iter().map(Figure::json).collect();
        fs::write(&file, serde_json::to_string_pretty(&list)? + "\n")?;
        Ok(file)
    }

    /// The table.
    pub fn table(&self) -> String {
        let wide = self.0.iter().map(|figure| figure.name.len()).fold(NAME, usize::max);
        let row = |name: &str, rest: [&str; 6]| row(wide, name, rest);
        let mut lines = vec![row("figure", ["median", "unit", "least", "most", "ratio", "to"])];
        for figure in &self.0 {
            let (least, most) =
                figure.spread.map_or((String::new(), String::new()), |(least, most)| (number(least), number(most)));
            let (to, ratio) = figure
                .ratio_to
                .as_ref()
                .map_or(("", String::new()), |(to, ratio)| (to.as_str(), format!("{ratio:.3}")));
            lines.push(row(&figure.name, [&number(figure.value), figure.unit, &least, &most, &ratio, to]));
        }
        lines.join("\n")
    }
}

/// How wide a name is at least.
const NAME: usize = 36;

fn row(wide: usize, name: &str, [value, unit, least, most, ratio, to]: [&str; 6]) -> String {
    format!("{name:<wide$} {value:>12} {unit:<13} {least:>10} {most:>10} {ratio:>8}  {to}").trim_end().to_owned()
}

/// With as many digits as there is sense in.
fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The one in the middle, or between the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), half.checked_sub(1).and_then(|before| sorted.get(before))) {
        (Some(upper), Some(lower)) if sorted.len().is_multiple_of(2) => (lower + upper) / 2.0,
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

/// Median, least and most.
pub fn summary(values: &[f64]) -> (f64, (f64, f64)) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (median(values), (least, most))
}

/// The value below which this share of all lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(summary(&[3.0, 1.0, 2.0]), (2.0, (1.0, 3.0)));
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [50.0, 99.0, 100.0]);
        assert_eq!(quantile(&[3.0], 0.99), 3.0);
    }

    #[test]
    fn json_has_four_members_and_a_table_one_line_each() {
        let mut figures = Figures::default();
        let ratio_to = Some(("bare".to_owned(), 1.5));
        figures.add(Figure { name: "a".into(), value: 1.23456, unit: "us", spread: Some((1.0, 2.0)), ratio_to });
        figures.add(Figure { name: "b".into(), value: 2.0, unit: "bytes", spread: None, ratio_to: None });
        assert_eq!(
            figures.0.iter().map(Figure::json).collect::<Vec<_>>(),
            [
                json!({ "name": "a", "value": 1.235, "unit": "us", "ratio_to": { "name": "bare", "ratio": 1.5 } }),
                json!({ "name": "b", "value": 2.0, "unit": "bytes", "ratio_to": null }),
            ]
        );
        assert_eq!(figures.table().lines().count(), 3);
    }
}
