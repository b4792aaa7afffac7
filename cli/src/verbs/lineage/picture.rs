//! The way of a request, drawn.

use super::Step;

/// A sequence diagram in Mermaid's words.
pub(super) fn mermaid(steps: &[Step]) -> String {
    let mut out = "sequenceDiagram".to_owned();
    let mut known: Vec<&str> = Vec::new();
    for name in steps.iter().flat_map(|step| [step.caller(), &step.hop]) {
        if !known.contains(&name) {
            // The name stands as a label alone: it could be one of Mermaid's own words.
            out.push_str(&format!("\n  participant p{} as {}", known.len(), entities(name)));
            known.push(name);
        }
    }
    let id = |name: &str| known.iter().position(|known| *known == name).unwrap_or_default();
    for step in steps {
        let (from, to) = (id(step.caller()), id(&step.hop));
        let head = if step.decision == "allow" { "->>" } else { "-x" };
        let request = entities(&format!("{} {}", step.role, step.request()));
        out.push_str(&format!("\n  p{from}{head}p{to}: {request}"));
        let told = entities(&format!("{} {}", step.status, step.outcome()));
        out.push_str(&format!("\n  Note over p{to}: {told}"));
    }
    out
}

/// Everything that could mean something to Mermaid or to the page around it, by its number.
fn entities(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '/' | '-' | '_' | '.');
    text.chars().map(|c| if plain(c) { c.to_string() } else { format!("#{};", u32::from(c)) }).collect()
}

const ROW: usize = 84;
const WIDTH: usize = 760;
/// The most characters of a line of text in the picture.
const FITS: usize = 92;

/// A picture that needs nothing else: a box for each hop, from top to bottom.
pub(super) fn svg(trace: &str, steps: &[Step]) -> String {
    let height = 48 + steps.len() * ROW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>The way of request {trace}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-weight=\"bold\">trace {trace}</text>\n"
    );
    for (nth, step) in steps.iter().enumerate() {
        let top = 40 + nth * ROW;
        let (fill, edge) = if step.decision == "allow" { ("#e9f6ec", "#2e7d42") } else { ("#fdeaea", "#b3261e") };
        if nth > 0 {
            out.push_str(&format!(
                "<path d=\"M40 {} v16 m-5 -6 l5 6 l5 -6\" fill=\"none\" stroke=\"#555555\"/>\n",
                top - 18
            ));
        }
        out.push_str(&format!(
            "<rect x=\"16\" y=\"{top}\" width=\"{}\" height=\"64\" rx=\"6\" fill=\"{fill}\" stroke=\"{edge}\"/>\n",
            WIDTH - 32
        ));
        let lines = [
            (20, "bold", format!("{}, called by {}", step.place(), step.caller())),
            (38, "normal", format!("{} {}", step.request(), step.status)),
            (56, "normal", format!("{}, {}", step.outcome(), step.tenant)),
        ];
        for (down, weight, text) in lines {
            let (y, text) = (top + down, escaped(&text));
            out.push_str(&format!("<text x=\"28\" y=\"{y}\" font-weight=\"{weight}\">{text}</text>\n"));
        }
    }
    out.push_str("</svg>");
    out
}

/// As XML wants it, cut to what fits.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(FITS) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    if text.chars().count() > FITS {
        out.push('…');
    }
    out
}
