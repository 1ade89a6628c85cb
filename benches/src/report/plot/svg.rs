//! A drawing, and the text that fits into it.

use crate::report::html::escape;
use std::fmt::Write;

/// Width of every drawing, px.
pub(super) const WIDTH: f64 = 880.0;
/// Size of text, px.
pub(super) const TEXT: f64 = 12.5;
/// Height of a line of text, px.
pub(super) const LINE: f64 = 15.5;

/// Which end of a text lies at its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// What is drawn so far.
#[derive(Default)]
pub(super) struct Drawing {
    body: String,
}

impl Drawing {
    /// The elements.
    pub(super) fn into_body(self) -> String {
        self.body
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" />"#,
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn rectangle(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="2" />"#,
            at.0, at.1, size.0, size.1
        );
    }

    /// A line through points; those closer than the eye can tell are left out.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut drawn: Option<(f64, f64)> = None;
        for (index, &(x, y)) in points.iter().enumerate() {
            let is_end = index + 1 == points.len();
            let near = |(last_x, last_y): (f64, f64)| (x - last_x).hypot(y - last_y) < 0.7;
            if drawn.is_some_and(near) && !is_end {
                continue;
            }
            let command = if drawn.is_none() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.1} {y:.1}");
            drawn = Some((x, y));
        }
        let _ = writeln!(self.body, r#"<path class="{class}" d="{path}" />"#);
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        );
    }

    /// Lines of text below one another, the first at that place.
    pub(super) fn lines(&mut self, class: &str, at: (f64, f64), anchor: Anchor, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            self.text(class, (at.0, at.1 + index as f64 * LINE), anchor, line);
        }
    }

    /// What follows until `close` shows this where the pointer rests.
    pub(super) fn open(&mut self, hint: &str) {
        let _ = writeln!(self.body, "<g><title>{}</title>", escape(hint));
    }

    pub(super) fn close(&mut self) {
        self.body += "</g>\n";
    }

    /// A mark of one of eight shapes; hollow where the value is not what it should be.
    pub(super) fn mark(&mut self, class: &str, shape: usize, (x, y): (f64, f64), hollow: bool) {
        let class = format!("{class} {}", if hollow { "hollow" } else { "full" });
        let outline = |points: &[(f64, f64)]| {
            let mut path = String::new();
            for (index, (dx, dy)) in points.iter().enumerate() {
                let command = if index == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{:.1} {:.1}", x + dx, y + dy);
            }
            path + "Z"
        };
        let path = match shape % 8 {
            0 => {
                let _ = writeln!(
                    self.body,
                    r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3.6" />"#
                );
                return;
            }
            1 => outline(&[(-3.3, -3.3), (3.3, -3.3), (3.3, 3.3), (-3.3, 3.3)]),
            2 => outline(&[(0.0, -4.3), (4.1, 3.2), (-4.1, 3.2)]),
            3 => outline(&[(0.0, -4.6), (4.6, 0.0), (0.0, 4.6), (-4.6, 0.0)]),
            4 => outline(&[(0.0, 4.3), (4.1, -3.2), (-4.1, -3.2)]),
            5 => outline(&[(-4.6, -1.6), (4.6, -1.6), (4.6, 1.6), (-4.6, 1.6)]),
            6 => outline(&[(-1.6, -4.6), (1.6, -4.6), (1.6, 4.6), (-1.6, 4.6)]),
            _ => outline(&[(-4.3, 0.0), (3.2, -4.1), (3.2, 4.1)]),
        };
        let _ = writeln!(self.body, r#"<path class="{class}" d="{path}" />"#);
    }
}

/// How wide a text is at most, px: of the common fonts the widest is assumed, so that nothing is cut.
pub(super) fn width(text: &str) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '/' | '-' | '[' | ']' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '+' | '×' => 0.95,
        'a'..='z' | '0'..='9' => 0.64,
        letter if letter.is_ascii() => 0.76,
        'µ' | '·' | '–' => 0.66,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * TEXT
}

/// How wide a text is at most where it is set in bold type, px.
pub(super) fn bold_width(text: &str) -> f64 {
    1.13 * width(text)
}

/// Breaks a text so that no line is wider than that: at spaces, and within words that are too wide.
pub(super) fn wrap(text: &str, widest: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if width(&joined) <= widest {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if width(&line) > widest && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, letter.to_string()));
            }
        }
    }
    lines.push(line);
    lines
}

/// Moves places apart, as little as it takes, so that texts of these heights do not touch; keeps their
/// order and, where they fit at all, stays between `top` and `bottom`.
pub(super) fn apart(wanted: &[f64], heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut placed = wanted.to_vec();
    let mut free = top;
    for &index in &order {
        let half = heights[index] / 2.0;
        placed[index] = placed[index].max(free + half);
        free = placed[index] + half;
    }
    let mut free = bottom;
    for &index in order.iter().rev() {
        let half = heights[index] / 2.0;
        placed[index] = placed[index].min(free - half);
        free = placed[index] - half;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_asked_and_nothing_is_lost() {
        let text = "redis pub/sub over a unix socket, pipelined, JSON Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let lines = wrap(text, 120.0);
        assert!(lines.iter().all(|line| width(line) <= 120.0), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert_eq!(wrap("", 10.0), [""]);
        assert_eq!(wrap("ours", 300.0), ["ours"]);
    }

    #[test]
    fn places_are_moved_apart_in_their_order() {
        let placed = apart(&[50.0, 50.0, 49.0, 95.0], &[10.0; 4], 0.0, 100.0);
        assert!(placed[2] < placed[0] && placed[0] < placed[1], "{placed:?}");
        let mut sorted = placed.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(
            sorted.windows(2).all(|pair| pair[1] - pair[0] > 9.99),
            "{placed:?}"
        );
        assert!(sorted[0] >= 5.0 && sorted[3] <= 95.0, "{placed:?}");
        assert_eq!(apart(&[20.0, 60.0], &[10.0; 2], 0.0, 100.0), [20.0, 60.0]);
    }

    #[test]
    fn points_on_one_pixel_are_drawn_once_and_the_last_always() {
        let mut drawing = Drawing::default();
        drawing.path("s0", &[(0.0, 0.0), (0.1, 0.0), (5.0, 0.0), (5.1, 0.0)]);
        assert_eq!(
            drawing.into_body(),
            "<path class=\"s0\" d=\"M0.0 0.0L5.0 0.0L5.1 0.0\" />\n"
        );
    }
}
