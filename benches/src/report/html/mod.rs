//! The results as one page: no script, nothing from elsewhere, light and dark, for paper too.

mod lists;

pub(super) use lists::escape;

use super::{
    answer::answer,
    columns::grid,
    file,
    number::count,
    plot::{self, Plot},
    section::{Section, sections},
};
use crate::{Failure, row::Results};
use lists::{absent, claims, table, targets};
use std::{fmt::Write, path::Path};

const TITLE: &str = "What it costs to hand over a message";

const METHOD: [&str; 10] = [
    "Both sides of a transport are pinned, each to a core of its own; they are two processes unless a row says otherwise.",
    "All contenders of a comparison take turns in short windows, in random order: what the machine does to one, it does to all.",
    "In every round the floor has its window too: what these two cores can do with nothing else on the line.",
    "\"× floor\" is the median, over the rounds, of the row's window by the floor's window of the same round; the interval holds that median with 95 % confidence.",
    "Rounds in which a side lost its core are left out of the ratios, by that cause and never by their value; where hardly any other is left, all count.",
    "Percentiles are of single times (in streams, of blocks of messages) and leave nothing out: the maximum is the greatest that there was.",
    "At fixed rates a message is timed from when it was due, not from when it could be sent: a transport that stalls is charged for all who waited.",
    "The cost of reading the clock is in every single time, and subtracted from none.",
    "While one side is measured, those whose turn it is not sleep in the kernel. Servers are started for the run, on sockets of its own.",
    "Absolute times hold for this machine and this hour. What can be carried to another are ratios, and to compare two runs one compares their ratios.",
];

/// Writes the page.
///
/// # Errors
///
/// When the file cannot be written.
pub fn save(results: &Results, path: &Path) -> Result<(), Failure> {
    file::write(path, &page(results))
}

/// The page.
#[must_use]
pub fn page(results: &Results) -> String {
    let sections = sections(results);
    let mut body = String::new();
    body += &answers(results);
    body += &conditions(results);
    body += &targets(&results.targets);
    for section in &sections {
        body += &experiment(section);
    }
    body += &claims(&results.claims);
    body += &absent(&results.absent);
    body += &method();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n<title>{TITLE}</title>\n\
         <style>\n{}{}</style>\n</head>\n<body>\n<header>\n<h1>{TITLE}</h1>\n\
         <p class=\"soft\">Every way for two processes on one machine to talk, beside what the machine itself needs: {}, {}.</p>\n\
         {}</header>\n<main>\n{body}</main>\n\
         <footer><p>Measured by <code>scripts/bench</code>. Every figure on this page is in the JSON that the same run writes.</p></footer>\n\
         </body>\n</html>\n",
        include_str!("page.css"),
        plot::style(),
        escape(&results.conditions.cpu),
        escape(&results.conditions.kernel),
        contents(results, &sections),
    )
}

fn anchor(section: &Section<'_>) -> String {
    let name: String = section
        .name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    format!("at-{name}")
}

fn contents(results: &Results, sections: &[Section<'_>]) -> String {
    let mut links: Vec<(String, String)> = vec![("conditions".into(), "Conditions".into())];
    if !results.targets.is_empty() {
        links.push(("targets".into(), "Targets".into()));
    }
    for section in sections {
        let title = section.title().split(':').next().unwrap_or_default();
        links.push((anchor(section), title.to_owned()));
    }
    if !results.claims.is_empty() {
        links.push(("claims".into(), "Claims".into()));
    }
    if !results.absent.is_empty() {
        links.push(("absent".into(), "Absent".into()));
    }
    links.push(("method".into(), "Method".into()));
    let mut text = "<nav aria-label=\"Contents\">".to_owned();
    for (anchor, title) in links {
        let _ = writeln!(text, "<a href=\"#{anchor}\">{}</a>", escape(&title));
    }
    text + "</nav>\n"
}

fn answers(results: &Results) -> String {
    let sentences = answer(results);
    if sentences.is_empty() {
        return String::new();
    }
    let mut text = "<section class=\"answer\" aria-label=\"In short\">\n".to_owned();
    for sentence in sentences {
        let _ = writeln!(text, "<p>{}</p>", escape(&sentence));
    }
    text + "</section>\n"
}

fn conditions(results: &Results) -> String {
    let it = &results.conditions;
    let facts = [
        ("Processor", it.cpu.clone()),
        ("Kernel", it.kernel.clone()),
        (
            "Cores",
            format!("{} and {} of {}", it.cores.near, it.cores.far, it.online),
        ),
        (
            "Frequency governor",
            it.governor
                .clone()
                .unwrap_or_else(|| "the host's".to_owned()),
        ),
        ("Clock", it.clock_source.clone()),
        ("Took", format!("{:.0} s", it.seconds)),
        ("Load average", it.load.clone()),
        ("Taken by the host", format!("{:.2} %", it.steal_percent)),
        (
            "Involuntary switches",
            format!(
                "near side {}, far side {}",
                count(it.near_involuntary),
                count(it.far_involuntary)
            ),
        ),
        (
            "Reading the clock",
            format!("{:.1} ns, not subtracted", it.clock_read_ns),
        ),
    ];
    let mut text = "<section id=\"conditions\">\n<h2>Conditions</h2>\n<dl>\n".to_owned();
    for (name, value) in facts {
        let _ = writeln!(
            text,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escape(&value)
        );
    }
    text += "</dl>\n";
    if !it.warnings.is_empty() {
        text += "<ul class=\"warnings\">\n";
        for warning in &it.warnings {
            let _ = writeln!(
                text,
                "<li><strong>Warning</strong> {}</li>",
                escape(warning)
            );
        }
        text += "</ul>\n";
    }
    text + "</section>\n"
}

fn experiment(section: &Section<'_>) -> String {
    let grid = grid(section);
    let mut text = format!(
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>\n",
        anchor(section),
        escape(section.title()),
        escape(section.question.about)
    );
    let plots = plot::of_section(section);
    let (details, main): (Vec<&Plot>, Vec<&Plot>) = plots.iter().partition(|plot| plot.is_detail);
    for plot in main {
        text += &figure(plot);
    }
    if !details.is_empty() {
        text += "<details><summary>The other distributions</summary>\n";
        for plot in details {
            text += &figure(plot);
        }
        text += "</details>\n";
    }
    let mut rows = String::new();
    for line in &grid.lines {
        let class = [
            (line.ours, "ours"),
            (line.floor, "floor"),
            (line.opens_group, "group"),
        ]
        .into_iter()
        .filter_map(|(is, class)| is.then_some(class))
        .collect::<Vec<_>>()
        .join(" ");
        let _ = write!(rows, "<tr class=\"{class}\">");
        for (head, cell) in grid.heads.iter().zip(&line.cells) {
            let missed = if cell.starts_with("NO") && head.text == "kept up" {
                " missed"
            } else {
                ""
            };
            let _ = match (head.is_name, head.is_text) {
                (true, _) => write!(
                    rows,
                    "<th scope=\"row\" class=\"text name\">{}</th>",
                    escape(cell)
                ),
                (_, true) => write!(rows, "<td class=\"text{missed}\">{}</td>", escape(cell)),
                _ => write!(rows, "<td>{}</td>", escape(cell)),
            };
        }
        rows += "</tr>\n";
    }
    if !grid.shared.is_empty() {
        let _ = writeln!(
            text,
            "<p class=\"soft small\">All rows: {}.</p>",
            escape(&grid.shared.join("; "))
        );
    }
    let heads: Vec<(&str, bool)> = grid.heads.iter().map(|it| (it.text, it.is_text)).collect();
    text += &table(section.title(), &heads, &rows);
    for note in &grid.notes {
        let _ = writeln!(text, "<p class=\"soft small\">{}.</p>", escape(note));
    }
    text + "</section>\n"
}

fn figure(plot: &Plot) -> String {
    format!(
        "<figure>\n<figcaption><strong>{}</strong>{}</figcaption>\n<div class=\"box\">\n{}</div>\n</figure>\n",
        escape(&plot.title),
        escape(&plot.caption),
        plot.inline()
    )
}

fn method() -> String {
    let mut text = "<section id=\"method\">\n<h2>Method</h2>\n<ol class=\"method\">\n".to_owned();
    for line in METHOD {
        let _ = writeln!(text, "<li>{}</li>", escape(line));
    }
    text + "</ol>\n</section>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::invented, row::Row};
    use roxmltree::{Document, Node, ParsingOptions};

    /// The page as a tree: it is well-formed XML too.
    fn tree(page: &str) -> Document<'_> {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        match Document::parse_with_options(page, options) {
            Ok(tree) => tree,
            Err(error) => panic!("{error}"),
        }
    }

    fn names<'a>(tree: &'a Document<'a>, name: &str) -> Vec<Node<'a, 'a>> {
        tree.descendants()
            .filter(|node| node.has_tag_name(name))
            .collect()
    }

    #[test]
    fn the_page_is_well_formed_and_needs_nothing_from_elsewhere() {
        let page = page(&invented::results());
        let tree = tree(&page);
        for name in ["script", "link", "img", "iframe", "object"] {
            assert!(names(&tree, name).is_empty(), "{name}");
        }
        assert!(!page.contains("@import") && !page.contains("url("));
        assert!(!page.contains("http://") && !page.contains("https://"));
        let mut ids: Vec<&str> = tree
            .descendants()
            .filter_map(|node| node.attribute("id"))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "ids are unique");
        for link in names(&tree, "a") {
            let target = link.attribute("href").unwrap().trim_start_matches('#');
            assert!(ids.contains(&target), "{target}");
        }
        for svg in names(&tree, "svg") {
            for id in svg.attribute("aria-labelledby").unwrap().split(' ') {
                assert!(ids.contains(&id), "{id}");
            }
        }
    }

    #[test]
    fn every_row_is_in_its_table() {
        let results = invented::results();
        let page = page(&results);
        let tree = tree(&page);
        for section in sections(&results) {
            let id = anchor(&section);
            let place = tree
                .descendants()
                .find(|node| node.attribute("id") == Some(&id));
            let body = place.unwrap().descendants();
            let mut body = body.filter(|node| node.has_tag_name("tbody"));
            let rows = body.next().unwrap().children();
            let rows = rows.filter(|node| node.has_tag_name("tr")).count();
            assert_eq!(rows, section.rows.len(), "{id}");
        }
        for part in ["✗ MISSED", "✓ met", "15-20 ms", "--features aeron", "NO, "] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn text_from_outside_stays_text() {
        let mut results = invented::results();
        let evil = "</title><script>alert('x')</script> & \"q\" \u{0}\u{1b}[31m";
        results.conditions.cpu = evil.to_owned();
        results.conditions.warnings = vec![evil.to_owned()];
        results.targets[0].name = evil.to_owned();
        results.claims[0].claimed = evil.to_owned();
        results.claims[0].from = evil.to_owned();
        results.absent[0].reason = evil.to_owned();
        for row in &mut results.rows {
            row.name = format!("{evil} {}", row.name);
            row.floor = evil.to_owned();
            row.encoding = Some("json".to_owned());
        }
        results.rows.push(invented::row(evil, evil, 5.0));
        let page = page(&results);
        let tree = tree(&page);
        assert!(names(&tree, "script").is_empty());
        let text: String = tree.descendants().filter_map(|node| node.text()).collect();
        assert!(text.contains("alert('x')"));
    }

    #[test]
    fn any_experiment_may_be_missing_or_alone() {
        let whole = invented::results();
        let all: Vec<String> = sections(&whole)
            .iter()
            .map(|section| section.name.to_owned())
            .collect();
        // In short, conditions, targets, claims, absent, method.
        let fixed = 6;
        for name in &all {
            let (mut alone, mut without) = (whole.clone(), whole.clone());
            alone.rows.retain(|row| row.experiment == *name);
            without.rows.retain(|row| row.experiment != *name);
            let (alone, without) = (page(&alone), page(&without));
            let count = |page| names(&tree(page), "section").len();
            assert_eq!(count(&alone), fixed + 1, "{name}");
            assert_eq!(count(&without), fixed + all.len() - 1, "{name}");
        }
    }

    #[test]
    fn nothing_measured_is_a_page_too() {
        let mut results = invented::results();
        results.rows.clear();
        results.targets.clear();
        results.claims.clear();
        results.absent.clear();
        let page = page(&results);
        assert!(names(&tree(&page), "svg").is_empty());
        assert!(page.contains("Invented Processor &lt;3 &amp; Co."));
    }

    #[test]
    fn numbers_that_are_none_leave_no_trace() {
        let mut results = invented::results();
        for row in &mut results.rows {
            *row = Row {
                level_ns: f64::NAN,
                p50_ns: f64::NAN,
                p99_ns: f64::INFINITY,
                p999_ns: f64::NAN,
                max_ns: f64::NAN,
                floor_ns: f64::NAN,
                curve: vec![[f64::NAN, f64::NAN], [0.5, 0.0]],
                ratio_to_floor: Some(f64::NAN),
                ratio_to_floor_interval: None,
                over_floor_ns: Some(f64::NAN),
                cpu_percent: Some(f64::NAN),
                achieved_per_s: Some(f64::NAN),
                ..row.clone()
            };
        }
        results.rows.push(invented::row("hop", "ours", 57.0));
        let page = page(&results);
        tree(&page);
        assert!(!page.contains("NaN") && !page.contains("inf"), "no number");
    }
}
