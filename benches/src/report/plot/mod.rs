//! The pictures, drawn by hand as SVG: a plotting crate would bring its own fonts and colours, and
//! none lets a style sheet choose light or dark, which is what lets one file serve a page, a README
//! and a printer. What is needed are three shapes: bars, lines, and names that do not collide.

mod bars;
mod choice;
mod courses;
mod distribution;
mod lines;
mod palette;
mod scale;
mod svg;

pub(super) use choice::of_section;
pub(super) use palette::style;

use super::{file, html::escape, section::sections};
use crate::{Failure, row::Results};
use std::{
    fs,
    path::{Path, PathBuf},
};
use svg::{Drawing, WIDTH};

/// One picture.
pub(super) struct Plot {
    /// Names its file.
    pub(super) name: String,
    /// The experiment.
    context: String,
    /// What of it.
    pub(super) title: String,
    /// What it says, for those who cannot see it too.
    pub(super) caption: String,
    /// Whether it adds detail to a picture before it.
    pub(super) is_detail: bool,
    body: String,
    height: f64,
}

impl Plot {
    fn new(
        name: &str,
        [context, title]: [&str; 2],
        caption: String,
        (drawing, height): (Drawing, f64),
    ) -> Self {
        Self {
            name: name
                .chars()
                .map(|letter| match letter {
                    letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
                    _ => '-',
                })
                .collect(),
            context: context.to_owned(),
            title: title.to_owned(),
            caption,
            is_detail: false,
            body: drawing.into_body(),
            height,
        }
    }

    fn heading(&self) -> String {
        format!("{} · {}", self.context, self.title)
    }

    /// For a page that has the style already.
    pub(super) fn inline(&self) -> String {
        self.element("", "", 0.0)
    }

    /// For a file of its own, with its title within.
    fn standalone(&self) -> String {
        let above = 34.0;
        let inside = format!(
            "<style>{}</style>\n<rect class=\"paper\" x=\"-12\" y=\"-34\" width=\"{}\" height=\"{:.0}\" rx=\"8\" />\n<text class=\"title\" x=\"4\" y=\"-10\">{}</text>\n",
            style(),
            WIDTH + 24.0,
            self.height + above + 8.0,
            escape(&self.heading())
        );
        self.element(r#" xmlns="http://www.w3.org/2000/svg""#, &inside, above)
    }

    fn element(&self, attributes: &str, inside: &str, above: f64) -> String {
        let Self { name, body, .. } = self;
        let (left, wide, high) = if above > 0.0 {
            (-12.0, WIDTH + 24.0, self.height + above + 8.0)
        } else {
            (0.0, WIDTH, self.height)
        };
        format!(
            "<svg{attributes} class=\"plot\" viewBox=\"{left:.0} {:.0} {wide:.0} {high:.0}\" width=\"{wide:.0}\" height=\"{high:.0}\" role=\"img\" aria-labelledby=\"{name}-title {name}-text\">\n<title id=\"{name}-title\">{}</title>\n<desc id=\"{name}-text\">{}</desc>\n{inside}{body}</svg>\n",
            -above,
            escape(&self.heading()),
            escape(&self.caption),
        )
    }
}

/// Writes every picture as a file of its own into that directory, such as `hop.svg` and
/// `percentiles.svg`, and returns their paths. They follow the reader's choice of light or dark.
///
/// # Errors
///
/// When the directory or a file cannot be written.
pub fn save_svgs(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    fs::create_dir_all(directory).map_err(|error| {
        format!(
            "{}: cannot be made: {error}\n  fix: name a directory that is yours",
            directory.display()
        )
    })?;
    let plots = sections(results)
        .iter()
        .flat_map(of_section)
        .collect::<Vec<_>>();
    let mut paths = Vec::new();
    for plot in plots.iter().filter(|plot| !plot.is_detail) {
        let path = directory.join(format!("{}.svg", plot.name));
        file::write(&path, &plot.standalone())?;
        paths.push(path);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::invented, row::Row};
    use roxmltree::Document;
    use svg::{bold_width, width};

    fn attribute(node: &roxmltree::Node<'_, '_>, name: &str) -> f64 {
        node.attribute(name).unwrap().parse().unwrap()
    }

    /// Left, right, baseline of every text, by the widest of fonts.
    fn texts(tree: &Document<'_>) -> Vec<(f64, f64, f64, String)> {
        let texts = tree.descendants().filter(|node| node.has_tag_name("text"));
        texts
            .filter(|node| node.attribute("class") != Some("title"))
            .map(|node| {
                let text = node.text().unwrap_or_default();
                let x = attribute(&node, "x");
                let wide = match node.attribute("class") {
                    Some("strong") => bold_width(text),
                    _ => width(text),
                };
                let left = match node.attribute("text-anchor") {
                    Some("middle") => x - wide / 2.0,
                    Some("end") => x - wide,
                    _ => x,
                };
                (left, left + wide, attribute(&node, "y"), text.to_owned())
            })
            .collect()
    }

    fn long_names() -> Results {
        let mut results = invented::results();
        results.rows.clear();
        for index in 0..45_u32 {
            let level = 60.0 * 1.25_f64.powi(i32::try_from(index).unwrap());
            let name = format!(
                "a transport {index} with a name that goes on, over a unix socket, one message in each call, WWWWWWWWWW"
            );
            results.rows.push(invented::row("hop", &name, level));
            for rate in [1e3, 1e6] {
                results.rows.push(Row {
                    offered_per_s: Some(rate),
                    achieved_per_s: Some(rate),
                    ..invented::row("rate", &name, 100.0)
                });
            }
        }
        results
    }

    #[test]
    fn texts_neither_touch_nor_leave_the_picture() {
        for results in [invented::results(), long_names()] {
            for plot in sections(&results).iter().flat_map(of_section) {
                let svg = plot.standalone();
                let tree = Document::parse(&svg).unwrap();
                let texts = texts(&tree);
                assert!(texts.len() > 3, "{}", plot.name);
                for (index, (left, right, y, text)) in texts.iter().enumerate() {
                    let inside = *left >= -1.0 && *right <= WIDTH + 1.0;
                    assert!(
                        inside && *y > 5.0 && *y <= plot.height,
                        "{}: {text}",
                        plot.name
                    );
                    for (other_left, other_right, other_y, other) in &texts[..index] {
                        let touch =
                            (y - other_y).abs() < 12.0 && left < other_right && other_left < right;
                        assert!(!touch, "{}: {text} on {other}", plot.name);
                    }
                }
            }
        }
    }

    #[test]
    fn pictures_are_saved_and_follow_light_and_dark() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("results");
        let paths = save_svgs(&invented::results(), &directory).unwrap();
        for name in ["hop.svg", "percentiles.svg", "rate.svg", "end-to-end.svg"] {
            assert!(paths.contains(&directory.join(name)), "{name}: {paths:?}");
        }
        for path in &paths {
            let svg = fs::read_to_string(path).unwrap();
            let tree = Document::parse(&svg).unwrap();
            let root = tree.root_element();
            for name in ["title", "desc", "style"] {
                assert!(
                    root.children()
                        .any(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))),
                    "{name}"
                );
            }
            assert!(svg.contains("prefers-color-scheme: dark"));
            assert!(!svg.contains("NaN"), "{}", path.display());
        }
        let file = directory.join("hop.svg");
        let error = save_svgs(&invented::results(), &file).unwrap_err();
        assert!(error.to_string().contains("hop.svg"), "{error}");
    }

    #[test]
    fn a_name_that_is_no_file_name_becomes_one() {
        let mut results = invented::results();
        results.rows = vec![invented::row("../../Etc & more", "x", 5.0)];
        let directory = tempfile::tempdir().unwrap();
        let paths = save_svgs(&results, directory.path()).unwrap();
        assert_eq!(paths, [directory.path().join("------etc---more.svg")]);
    }

    /// To look at: `REPORT_DIRECTORY=/tmp/report cargo test -p benches a_report_to_look_at`.
    #[test]
    fn a_report_to_look_at() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = std::env::var_os("REPORT_DIRECTORY")
            .map_or_else(|| scratch.path().to_owned(), PathBuf::from);
        for (name, results) in [("all", invented::results()), ("long", long_names())] {
            let directory = directory.join(name);
            save_svgs(&results, &directory).unwrap();
            let page = directory.join("report.html");
            crate::report::html::save(&results, &page).unwrap();
            crate::report::file::save(&results, &directory.join("report.json")).unwrap();
            let text = crate::report::table::render(&results, crate::report::table::Colour::No);
            fs::write(directory.join("report.txt"), &text).unwrap();
            assert!(fs::read_to_string(page).unwrap().contains("<svg"));
        }
    }
}
