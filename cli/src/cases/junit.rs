//! How cases ended, in the form of JUnit that CI systems read: one suite per file, one test case per case.

use std::fmt::Write as _;

use crate::cases::Played;

/// The report. Times are not told: a decision takes less than what writing it down does.
pub(crate) fn report(played: &[Played]) -> String {
    let failed = |list: &[&Played]| list.iter().filter(|case| !case.passed).count();
    let all: Vec<&Played> = played.iter().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites name=\"partywall test\" tests=\"{}\" failures=\"{}\">", all.len(), failed(&all));
    let mut files: Vec<&str> = played.iter().map(|case| case.file.as_str()).collect();
    files.dedup();
    for file in files {
        let cases: Vec<&Played> = played.iter().filter(|case| case.file == file).collect();
        let counts = format!("tests=\"{}\" failures=\"{}\"", cases.len(), failed(&cases));
        let _ = writeln!(out, "  <testsuite name=\"{}\" {counts}>", escaped(file));
        for case in cases {
            let names = format!("classname=\"{}\" name=\"{}\"", escaped(file), escaped(&case.name));
            if case.passed {
                let _ = writeln!(out, "    <testcase {names}/>");
                continue;
            }
            let message = format!("expected {}, got {}", case.expected, case.got);
            let text = format!("{}\n{}", case.at, case.why.join("\n"));
            let _ = writeln!(out, "    <testcase {names}>");
            let _ = writeln!(out, "      <failure message=\"{}\">{}</failure>", escaped(&message), escaped(&text));
            let _ = writeln!(out, "    </testcase>");
        }
        out.push_str("  </testsuite>\n");
    }
    out + "</testsuites>\n"
}

/// Text in XML 1.0, which holds no other control characters than these three.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push_str(&format!("&#{};", u32::from(c))),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_is_text() {
        let case = |name: &str, passed| Played {
            at: "cases/a.yaml:3:5".into(),
            file: "cases/a.yaml".into(),
            name: name.into(),
            passed,
            expected: "allow".into(),
            got: "deny, reason policy_denied".into(),
            why: vec!["a & b".into()],
        };
        let report = report(&[case("good", true), case("<\"\u{1b}]]>&\n", false)]);
        assert!(report.contains("tests=\"2\" failures=\"1\""), "{report}");
        assert!(report.contains("name=\"&lt;&quot;\u{fffd}]]&gt;&amp;&#10;\""), "{report}");
        assert!(report.contains("<failure message=\"expected allow, got deny, reason policy_denied\">"), "{report}");
        assert_eq!(report.matches("a &amp; b").count(), 1);
    }
}
