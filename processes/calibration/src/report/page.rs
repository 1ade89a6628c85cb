//! The results as one page: no script, nothing from elsewhere, light and dark.

use super::{interval, reliability, trained, words};
use crate::evaluate::Evaluation;
use crate::models::provenance;
use crate::run::{Held, Results};
use std::fmt::Write as _;

/// The page. All its text is the program's own or of its numbers.
#[must_use]
pub fn page(results: &Results) -> String {
    let mut body = verdicts(results);
    for held in &results.held {
        body += &section(held);
    }
    body += &numbers();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <title>Win probability on held-out days</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <header><h1>Win probability on held-out days</h1>\n\
         <p class=\"soft\">Intervals hold the figure with 95 % confidence and come of drawing whole games anew: moments of one game share its \
         outcome. Over market: log loss less that of the market&#39;s mid on the same moments; an edge is there where the whole interval is below zero.</p></header>\n\
         <main>\n{body}</main>\n</body>\n</html>\n",
        include_str!("page.css")
    )
}

fn verdicts(results: &Results) -> String {
    let mut text = "<section>\n<h3>Targets</h3>\n".to_owned();
    for target in &results.targets {
        let (class, word) = if target.met {
            ("met", "met")
        } else {
            ("missed", "MISSED")
        };
        let _ = writeln!(
            text,
            "<p class=\"soft\"><span class=\"{class}\">{word}</span> {}: {:.4} (at most {:.3})</p>",
            escape(&target.what),
            target.value,
            target.at_most
        );
    }
    for line in &results.absent {
        let _ = writeln!(text, "<p class=\"soft\">{}</p>", escape(line));
    }
    text + "</section>\n"
}

fn section(held: &Held) -> String {
    let mut text = format!(
        "<h2>Held-out days, {}</h2>\n<p class=\"soft\">{}</p>\n",
        escape(held.title),
        escape(held.what)
    );
    for set in &held.sets {
        text += &data_set(set);
    }
    text
}

fn data_set(set: &Evaluation) -> String {
    let mut text = format!(
        "<section>\n<h3>{}</h3>\n<p class=\"soft\">{} games, {} states, {} to {}; {}</p>\n",
        escape(set.name),
        set.games,
        set.states,
        set.held_out.0,
        set.held_out.1,
        escape(&trained(set))
    );
    for note in &set.notes {
        let _ = writeln!(text, "<p class=\"soft\">{}</p>", escape(note));
    }
    text += "<div class=\"box\"><table>\n<thead><tr><th class=\"text\">predicted by</th><th>log loss</th><th>95 %</th>\
             <th>Brier</th><th>95 %</th><th>over market</th></tr></thead>\n<tbody>\n";
    for row in &set.rows {
        let over = row.over_market.map_or(String::new(), |figure| {
            format!("{:+.3} ({})", figure.value, interval(figure))
        });
        let _ = writeln!(
            text,
            "<tr><td class=\"text\">{}</td><td>{:.4}</td><td>{}</td><td>{:.4}</td><td>{}</td><td>{over}</td></tr>",
            escape(&words(row.way, set)),
            row.score.log_loss.value,
            interval(row.score.log_loss),
            row.score.brier.value,
            interval(row.score.brier),
        );
    }
    text + "</tbody>\n</table></div>\n" + &reliability::plot(set) + "</section>\n"
}

fn numbers() -> String {
    let mut text = "<h2>Shipped numbers</h2>\n<section><div class=\"box\"><table>\n<thead><tr><th class=\"text\">file</th>\
                    <th class=\"text\">number</th><th>value</th><th class=\"text\">fitted to</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for (file, name, value, fitted) in provenance() {
        let from = fitted.map_or("published, see the file".to_owned(), |fitted| {
            format!(
                "{}, {}, {} games",
                fitted.data, fitted.training, fitted.games
            )
        });
        let _ = writeln!(
            text,
            "<tr><td class=\"text\">{file}.toml</td><td class=\"text\">{name}</td><td>{value}</td><td class=\"text\">{}</td></tr>",
            escape(&from)
        );
    }
    text + "</tbody>\n</table></div></section>\n"
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Row, Training, Way};
    use crate::score::{Predicted, score};

    #[test]
    fn the_page_is_well_formed_and_shows_every_row() {
        let predicted: Vec<Predicted> = (0..30_u8)
            .map(|game| Predicted {
                chances: vec![f64::from(game) / 30.0, 0.5],
                home_won: game > 14,
            })
            .collect();
        let row = |way| Row {
            way,
            score: score(&predicted).unwrap(),
            over_market: None,
        };
        let set = Evaluation {
            name: "NBA < & >",
            feed_is: "ESPN's",
            held_out: ("2025-01-02".into(), "2025-01-03".into()),
            games: 30,
            states: 60,
            trainings: vec![Training {
                first: "2025-01-01".into(),
                last: "2025-01-01".into(),
                games: 1,
                states: 1,
                fitted: vec![],
                weight: 0.25,
            }],
            rows: vec![
                row(Way::BaseRate),
                row(Way::ModelWithPregame),
                row(Way::Feed),
                row(Way::Blend),
            ],
            notes: vec!["a note".into()],
        };
        let results = Results {
            held: vec![Held {
                title: "once",
                what: "what",
                sets: vec![set],
            }],
            targets: vec![],
            absent: vec!["NCAAF".into()],
        };
        let page = page(&results);
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        roxmltree::Document::parse_with_options(&page, options).expect("well-formed");
        for said in [
            "blend, 25 % model",
            "NBA &lt; &amp; &gt;",
            "<svg",
            "a note",
            "nba.toml",
        ] {
            assert!(page.contains(said), "{said}");
        }
        let text = crate::report::table::text(&results);
        assert!(
            text.contains("model + pregame") && text.contains("held out 2025-01-02"),
            "{text}"
        );
    }
}
