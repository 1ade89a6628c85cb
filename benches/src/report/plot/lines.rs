//! Lines over a scale of times, each named at its end.

use super::{
    scale::{Times, with_room},
    svg::{Anchor, Drawing, LINE, WIDTH, apart, bold_width, width, wrap},
};

/// Widest that the names' column becomes, px.
const NAMES: f64 = 290.0;
const LEFT: f64 = 72.0;
const TOP: f64 = 26.0;
const LEAST_HEIGHT: f64 = 340.0;

/// One line.
pub(super) struct Series {
    /// Who.
    pub(super) name: String,
    /// What it looks like.
    pub(super) look: Look,
    /// The line, by ascending x.
    pub(super) points: Vec<(f64, f64)>,
    /// The points that were measured, and whether they are not what they should be.
    pub(super) marks: Vec<(f64, f64, bool)>,
}

/// What a line looks like: told by its mark as well as by its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What others are compared with.
    Floor,
    /// This project's.
    Ours(usize),
    /// The n-th of the others.
    Other(usize),
}

impl Look {
    fn classes(self) -> (String, usize) {
        match self {
            Self::Floor => ("s-floor".to_owned(), 5),
            Self::Ours(index) => ("s-ours".to_owned(), index),
            Self::Other(index) => (format!("s{}", index % 7 + 1), index + 1),
        }
    }
}

/// What lies along the x axis.
pub(super) struct Axis {
    /// Below it.
    pub(super) title: String,
    /// Values and texts, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

/// How values become heights.
pub(super) enum Heights {
    /// Times, on a logarithmic scale.
    Times,
    /// Percent, from 0 to at least 100.
    Percent,
}

enum Vertical {
    Times(Times),
    Percent { most: f64, ends: (f64, f64) },
}

impl Vertical {
    fn of(heights: &Heights, series: &[Series], ends: (f64, f64)) -> Option<Self> {
        let values = series
            .iter()
            .flat_map(|series| series.points.iter().map(|(_, y)| *y));
        match heights {
            Heights::Times => Times::of(values, ends).map(Self::Times),
            Heights::Percent => Some(Self::Percent {
                most: values.fold(100.0, f64::max),
                ends,
            }),
        }
    }

    fn at(&self, value: f64) -> f64 {
        match self {
            Self::Times(times) => times.at(value),
            Self::Percent { most, ends } => ends.0 + (ends.1 - ends.0) * value.max(0.0) / most,
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Times(times) => times.ticks(20.0),
            Self::Percent { .. } => [0.0, 25.0, 50.0, 75.0, 100.0]
                .map(|value| (self.at(value), format!("{value} %")))
                .to_vec(),
        }
    }
}

/// Where everything lies.
struct Frame {
    left: f64,
    right: f64,
    bottom: f64,
    /// Least and greatest x.
    range: (f64, f64),
    vertical: Vertical,
}

impl Frame {
    fn across(&self, x: f64) -> f64 {
        let (low, high) = self.range;
        let span = if high > low { high - low } else { 1.0 };
        self.left + (x - low) / span * (self.right - self.left)
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.across(x), self.vertical.at(y))
    }

    fn draw(&self, drawing: &mut Drawing, axis: &Axis, y_title: &str) {
        let Self {
            left,
            right,
            bottom,
            range: (low, high),
            ..
        } = *self;
        drawing.text("tick", (8.0, 13.0), Anchor::Start, y_title);
        for (y, text) in self.vertical.ticks() {
            drawing.line("grid", (left, y), (right, y));
            drawing.text("tick", (left - 8.0, y + 4.0), Anchor::End, &text);
        }
        let inside = |x: f64| x >= low && x <= high + 1e-9;
        let ticks = axis.ticks.iter().filter(|(x, _)| inside(*x));
        let ticks = ticks
            .map(|(x, text)| (self.across(*x), text.clone()))
            .collect();
        for (x, text) in with_room(ticks, width) {
            drawing.line("grid", (x, TOP), (x, bottom));
            drawing.text("tick", (x, bottom + 17.0), Anchor::Middle, &text);
        }
        drawing.line("axis", (left, bottom), (right, bottom));
        let middle = f64::midpoint(left, right);
        drawing.text("tick", (middle, bottom + 35.0), Anchor::Middle, &axis.title);
    }
}

/// Draws them; nothing where there is no line to draw. Returns the height too.
pub(super) fn draw(
    series: &[Series],
    axis: &Axis,
    y_title: &str,
    heights: &Heights,
) -> Option<(Drawing, f64)> {
    let names: Vec<Vec<String>> = series.iter().map(|it| wrap(&it.name, NAMES)).collect();
    let widest = names.iter().flatten().map(|text| bold_width(text));
    let right = WIDTH - widest.fold(40.0, f64::max) - 40.0;
    let labels: Vec<f64> = names
        .iter()
        .map(|lines| lines.len() as f64 * LINE + 1.0)
        .collect();
    let bottom = TOP + LEAST_HEIGHT.max(labels.iter().sum());
    let xs = series
        .iter()
        .flat_map(|it| it.points.iter().map(|(x, _)| *x));
    let range = xs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    if range.0 > range.1 {
        return None;
    }
    let frame = Frame {
        left: LEFT,
        right,
        bottom,
        range,
        vertical: Vertical::of(heights, series, (bottom, TOP))?,
    };
    let mut drawing = Drawing::default();
    frame.draw(&mut drawing, axis, y_title);

    let ends: Vec<(f64, f64)> = series
        .iter()
        .map(|it| it.points.last().copied().unwrap_or((range.0, f64::NAN)))
        .map(|last| frame.place(last))
        .collect();
    let wanted: Vec<f64> = ends.iter().map(|(_, y)| *y).collect();
    let places = apart(&wanted, &labels, TOP - 8.0, bottom + 8.0);
    // Ours and the floor are drawn last: they lie on top.
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by_key(|index| !matches!(series[*index].look, Look::Other(_)));
    for index in order {
        draw_series(&mut drawing, &series[index], &frame);
        drawing.line("leader", ends[index], (right + 12.0, places[index]));
        let at = (right + 20.0, places[index]);
        draw_name(&mut drawing, &names[index], series[index].look, at);
    }
    Some((drawing, bottom + 44.0))
}

fn draw_series(drawing: &mut Drawing, series: &Series, frame: &Frame) {
    let (class, shape) = series.look.classes();
    drawing.open(&series.name);
    let points: Vec<(f64, f64)> = series.points.iter().map(|it| frame.place(*it)).collect();
    drawing.path(&format!("curve {class}"), &points);
    for &(x, y, hollow) in &series.marks {
        drawing.mark(&class, shape, frame.place((x, y)), hollow);
    }
    drawing.close();
}

fn draw_name(drawing: &mut Drawing, name: &[String], look: Look, (x, y): (f64, f64)) {
    let (class, shape) = look.classes();
    drawing.mark(&class, shape, (x, y), false);
    let strong = match look {
        Look::Ours(_) => "strong",
        _ => "label",
    };
    let first = y + 4.5 - (name.len() - 1) as f64 * LINE / 2.0;
    drawing.lines(strong, (x + 10.0, first), Anchor::Start, name);
}
