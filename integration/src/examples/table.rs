//! What an example prints: request, answer, the operator's log, and what the app gets.

use std::collections::BTreeMap;

use crate::examples::mesh::{Came, Outcome};
use crate::examples::script::{Script, Values};
use crate::report::Paint;

/// The table; below a request the detail in the log, and whatever is not as the example says.
pub fn table(paint: Paint, script: &Script, outcomes: &[Outcome]) -> String {
    let mut heads = vec!["", "request", "answer", "the operator's log", "the app gets"];
    let compared = outcomes.iter().any(|outcome| outcome.native.is_some());
    if compared {
        heads.push(&script.native.called);
    }
    let rows: Vec<Vec<String>> =
        outcomes.iter().enumerate().map(|(n, outcome)| row(n + 1, outcome, compared)).collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            rows.iter().map(|row| row[column].chars().count()).chain([heads[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let mut out = paint.bold(&line(&heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>(), &widths));
    out.push('\n');
    for (row, outcome) in rows.iter().zip(outcomes) {
        out.push_str(&line(row, &widths));
        out.push('\n');
        if !outcome.came.detail.is_empty() {
            out.push_str(&format!("    ({})\n", outcome.came.detail));
        }
        for difference in &outcome.differences {
            out.push_str(&format!("    {}\n", paint.red(difference)));
        }
    }
    out
}

/// The last line: how many went as the example says.
pub fn verdict(paint: Paint, outcomes: &[Outcome]) -> String {
    let (total, good) = (outcomes.len(), outcomes.iter().filter(|outcome| outcome.differences.is_empty()).count());
    if good == total {
        paint.green(&format!("{total} of {total} as expected"))
    } else {
        paint.red(&format!("{} of {total} NOT as expected", total - good))
    }
}

fn row(number: usize, outcome: &Outcome, compared: bool) -> Vec<String> {
    let came = &outcome.came;
    let answer = format!("{} {}", came.status, came.told).trim_end().to_owned();
    let mut row = vec![
        number.to_string(),
        outcome.ask.name.clone(),
        answer,
        came.log.clone(),
        at_the_app(&outcome.ask.then.app, came),
    ];
    if compared {
        row.push(match (&outcome.native, &outcome.ask.native) {
            (Some(came), Some(expected)) => match at_the_app(&expected.app, came).as_str() {
                "" => came.status.to_string(),
                app => format!("{} {app}", came.status),
            },
            _ => String::new(),
        });
    }
    row
}

/// The headers that the example looks at, as they reached the app.
fn at_the_app(looked_at: &BTreeMap<String, Values>, came: &Came) -> String {
    if came.app.is_empty() {
        return String::new();
    }
    let told = looked_at.keys().map(|name| match came.got(name)[..] {
        [] => format!("no {name}"),
        ref values => format!("{name}: {}", values.join(" and ")),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let [number, rest @ ..] = cells else { return String::new() };
    let mut out = format!("{number:>2}");
    for (cell, width) in rest.iter().zip(widths.iter().skip(1)) {
        out.push_str(&format!("  {cell:width$}"));
    }
    out.trim_end().to_owned()
}
