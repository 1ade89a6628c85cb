//! Tables of the page, and text that is safe in it.

use crate::{
    report::table::{judged, measured},
    row::{Absent, Claim, Target},
};
use std::fmt::Write;

/// Text from outside, harmless in markup; characters that XML has no word for are replaced.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\t' | '\n' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A table in a box that scrolls by itself; `rows` are whole.
pub(super) fn table(label: &str, heads: &[(&str, bool)], rows: &str) -> String {
    let mut text = format!(
        "<div class=\"box\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n<thead><tr>",
        escape(label)
    );
    for (head, is_text) in heads {
        let class = if *is_text { " class=\"text\"" } else { "" };
        let head = match head.strip_prefix("x ") {
            Some(other) => format!("× {other}"),
            None => (*head).to_owned(),
        };
        let _ = write!(text, "<th scope=\"col\"{class}>{}</th>", escape(&head));
    }
    text + "</tr></thead>\n<tbody>\n" + rows + "</tbody>\n</table>\n</div>\n"
}

/// What was aimed at, and whether it was met.
pub(super) fn targets(targets: &[Target]) -> String {
    if targets.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for target in targets {
        let (value, bar) = judged(target);
        let (class, verdict) = if target.met {
            ("met", "✓ met")
        } else {
            ("missed", "✗ MISSED")
        };
        let _ = writeln!(
            rows,
            "<tr><td class=\"text {class}\">{verdict}</td><th scope=\"row\" class=\"text name\">{}</th><td>{}</td><td>{bar}</td></tr>",
            escape(&target.name),
            if target.value.is_some() {
                &value
            } else {
                "no number"
            }
        );
    }
    let met = targets.iter().filter(|target| target.met).count();
    let heads = [
        ("", true),
        ("target", true),
        ("measured", false),
        ("bar", false),
    ];
    format!(
        "<section id=\"targets\">\n<h2>Targets</h2>\n<p class=\"soft\">{met} of {} met.</p>\n{}</section>\n",
        targets.len(),
        table("Targets", &heads, &rows)
    )
}

/// What was claimed beside what was measured.
pub(super) fn claims(claims: &[Claim]) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for claim in claims {
        let (value, from) = measured(claim);
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\" class=\"text name\">{}</th><td>{}</td><td>{value}</td><td class=\"text long\">{}</td></tr>",
            escape(&claim.what),
            escape(&claim.claimed),
            escape(&from)
        );
    }
    let heads = [
        ("what", true),
        ("claimed", false),
        ("measured", false),
        ("which row", true),
    ];
    format!(
        "<section id=\"claims\">\n<h2>Claimed and measured</h2>\n<p>What the proposal that this project grew from said or asked for, before anything was measured, beside this run.</p>\n{}</section>\n",
        table("Claimed and measured", &heads, &rows)
    )
}

/// Who has no row, and why.
pub(super) fn absent(absent: &[Absent]) -> String {
    if absent.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for it in absent {
        let _ = writeln!(
            rows,
            "<tr><td class=\"text\">{}</td><th scope=\"row\" class=\"text name\">{}</th><td class=\"text long\">{}</td></tr>",
            escape(&it.experiment),
            escape(&it.name),
            escape(&it.reason)
        );
    }
    let heads = [("experiment", true), ("who", true), ("why", true)];
    format!(
        "<section id=\"absent\">\n<h2>Absent</h2>\n<p>What takes part and has no row in this run.</p>\n{}</section>\n",
        table("Absent", &heads, &rows)
    )
}
