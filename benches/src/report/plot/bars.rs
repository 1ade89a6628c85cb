//! Bars: the median as a bar, the 99th percentile as a whisker.

use super::{
    scale::{Times, drawable, with_room},
    svg::{Anchor, Drawing, LINE, WIDTH, bold_width, width, wrap},
};
use crate::{
    report::section::{is_floor, is_ours},
    row::{Between, Row},
};

/// Widest that a name's column becomes, px.
const NAMES: f64 = 330.0;
/// Thickness of a bar, px.
const THICK: f64 = 13.0;
/// Room for the axis above, px.
const ABOVE: f64 = 24.0;

/// One bar.
pub(super) struct Bar {
    /// Who.
    pub(super) name: String,
    /// Its length, ns.
    pub(super) value: f64,
    /// Where the whisker ends, ns.
    pub(super) whisker: Option<f64>,
    /// Beside the bar: its value in words, and one more figure.
    pub(super) notes: [String; 2],
    /// How it is filled.
    pub(super) fill: Fill,
}

/// Whose bar it is: told by colour, and by a pattern that needs none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Floor,
    Ours,
    Processes,
    Threads,
    Server,
    Nothing,
}

impl Fill {
    pub(super) fn of(row: &Row) -> Self {
        match row.between {
            _ if is_floor(row) => Self::Floor,
            _ if is_ours(row) => Self::Ours,
            Between::Processes => Self::Processes,
            Between::Threads => Self::Threads,
            Between::Server => Self::Server,
            Between::Nothing => Self::Nothing,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Floor => "b-floor",
            Self::Ours => "b-ours",
            Self::Processes => "b-processes",
            Self::Threads => "b-threads",
            Self::Server => "b-server",
            Self::Nothing => "b-nothing",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Floor => "the floor",
            Self::Ours => "ours",
            Self::Processes => "two processes",
            Self::Threads => "two threads of one process",
            Self::Server => "through a server",
            Self::Nothing => "measuring nothing",
        }
    }

    const ALL: [Self; 6] = [
        Self::Floor,
        Self::Ours,
        Self::Processes,
        Self::Threads,
        Self::Server,
        Self::Nothing,
    ];
}

/// Draws them in their order; nothing where none has a length. Returns the height too.
pub(super) fn draw(bars: &[Bar], heads: [&str; 2]) -> Option<(Drawing, f64)> {
    let names: Vec<Vec<String>> = bars.iter().map(|bar| wrap(&bar.name, NAMES)).collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| bold_width(text)).fold(40.0_f64, f64::max)
    };
    let left = widest(&mut names.iter().flatten()) + 16.0;
    let note = |index: usize| {
        widest(&mut bars.iter().map(|bar| &bar.notes[index])).max(width(heads[index])) + 14.0
    };
    let notes = [note(0), note(1)];
    // The last tick's text reaches beyond the axis.
    let right = WIDTH - notes[0] - notes[1] - 34.0;
    let values = bars
        .iter()
        .flat_map(|bar| [Some(bar.value), bar.whisker])
        .flatten();
    let scale = Times::of_lengths(values, (left, right))?;

    let mut drawing = Drawing::default();
    let legend = legend(&mut drawing, bars, !scale.is_linear());
    let top = legend + ABOVE;
    let heights: Vec<f64> = names
        .iter()
        .map(|lines| lines.len() as f64 * LINE + 7.0)
        .collect();
    let bottom = top + heights.iter().sum::<f64>();
    for (x, text) in with_room(scale.ticks(54.0), width) {
        drawing.line("grid", (x, top), (x, bottom));
        drawing.text("tick", (x, top - 7.0), Anchor::Middle, &text);
        if bars.len() > 12 {
            drawing.text("tick", (x, bottom + 15.0), Anchor::Middle, &text);
        }
    }
    drawing.text(
        "tick",
        (right + 30.0 + notes[0], top - 7.0),
        Anchor::End,
        heads[0],
    );
    drawing.text("tick", (WIDTH - 4.0, top - 7.0), Anchor::End, heads[1]);
    let mut y = top;
    for ((bar, lines), height) in bars.iter().zip(&names).zip(heights) {
        draw_bar(
            &mut drawing,
            bar,
            lines,
            &scale,
            (left, right + 30.0 + notes[0]),
            (y, height),
        );
        y += height;
    }
    drawing.line("axis", (left, top), (left, bottom));
    Some((drawing, bottom + if bars.len() > 12 { 24.0 } else { 8.0 }))
}

/// A bar of that length from its left end.
fn rectangle(drawing: &mut Drawing, fill: Fill, (x, middle): (f64, f64), length: f64) {
    if fill == Fill::Server {
        // A line with gaps: told from a plain bar without its colour.
        drawing.line(fill.class(), (x, middle), (x + length, middle));
    } else {
        drawing.rectangle(fill.class(), (x, middle - THICK / 2.0), (length, THICK));
    }
}

fn draw_bar(
    drawing: &mut Drawing,
    bar: &Bar,
    name: &[String],
    scale: &Times,
    (left, note): (f64, f64),
    (y, height): (f64, f64),
) {
    let strong = if bar.fill == Fill::Ours {
        "strong"
    } else {
        "label"
    };
    let middle = y + height / 2.0;
    let baseline = middle + 4.5;
    drawing.open(&format!("{}: {} {}", bar.name, bar.notes[0], bar.notes[1]));
    let first = baseline - (name.len() - 1) as f64 * LINE / 2.0;
    drawing.lines(strong, (left - 8.0, first), Anchor::End, name);
    if drawable(bar.value) {
        let end = scale.at(bar.value).max(left + 1.5);
        rectangle(drawing, bar.fill, (left, middle), end - left);
        if let Some(whisker) = bar.whisker.filter(|whisker| *whisker > bar.value) {
            let tip = scale.at(whisker);
            drawing.line("whisker", (end, middle), (tip, middle));
            drawing.line("whisker", (tip, middle - 3.5), (tip, middle + 3.5));
        }
    }
    drawing.text(strong, (note, baseline), Anchor::End, &bar.notes[0]);
    drawing.text("label", (WIDTH - 4.0, baseline), Anchor::End, &bar.notes[1]);
    drawing.close();
}

/// Whose bars there are; returns how high that is.
fn legend(drawing: &mut Drawing, bars: &[Bar], is_logarithmic: bool) -> f64 {
    let (mut x, mut y) = (8.0, 10.0);
    let mut place = |words: &str| {
        let wide = width(words) + 44.0;
        if x + wide > WIDTH {
            x = 8.0;
            y += LINE + 4.0;
        }
        let at = (x, y);
        x += wide;
        at
    };
    for fill in Fill::ALL {
        if bars.iter().any(|bar| bar.fill == fill) {
            let (x, y) = place(fill.words());
            rectangle(drawing, fill, (x, y + 5.0), 22.0);
            drawing.text("label", (x + 28.0, y + 9.5), Anchor::Start, fill.words());
        }
    }
    if bars.iter().any(|bar| bar.whisker.is_some()) {
        let words = "whisker: to the 99th percentile";
        let (x, y) = place(words);
        drawing.line("whisker", (x, y + 5.0), (x + 22.0, y + 5.0));
        drawing.line("whisker", (x + 22.0, y + 1.5), (x + 22.0, y + 8.5));
        drawing.text("label", (x + 28.0, y + 9.5), Anchor::Start, words);
    }
    if is_logarithmic {
        let words = "the axis is logarithmic";
        let (x, y) = place(words);
        drawing.text("tick", (x, y + 9.5), Anchor::Start, words);
    }
    y + LINE
}
