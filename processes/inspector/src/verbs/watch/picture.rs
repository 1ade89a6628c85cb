//! A drawn buffer as plain text, and as an SVG picture.

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use std::fmt::Write as _;

/// Width and height of a character, and the border, in the picture's units.
const CELL: (u32, u32) = (9, 19);
const BORDER: u32 = 14;
/// Above the foot of a character.
const ASCENT: u32 = 14;
const PAPER: &str = "#14161b";
const INK: &str = "#d7dae0";
const FAINT: &str = "#7d8590";

/// Line by line, without spaces at the end.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for line in lines(buffer) {
        let line: String = line.iter().map(Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The same with colours. Each word has its place and length, so that columns stand straight in
/// any monospaced font.
pub(super) fn svg(buffer: &Buffer) -> String {
    let area = buffer.area();
    let width = u32::from(area.width) * CELL.0 + 2 * BORDER;
    let height = u32::from(area.height) * CELL.1 + 2 * BORDER;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\">\n"
    );
    for (row, line) in lines(buffer).enumerate() {
        let y = BORDER + CELL.1 * u32::try_from(row).unwrap_or(0);
        let mut first = 0;
        while first < line.len() {
            let style = look(&line[first]);
            let same = line[first..].iter().take_while(|cell| look(cell) == style);
            let length = same.count();
            run(&mut svg, first, y, &line[first..first + length]);
            first += length;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn lines(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    let width = usize::from(buffer.area().width).max(1);
    buffer.content().chunks(width)
}

/// How a cell looks: ink, paper if it is not the picture's, bold.
fn look(cell: &Cell) -> (&'static str, Option<&'static str>, bool) {
    let ink = match colour(cell.fg) {
        INK if cell.modifier.contains(Modifier::DIM) => FAINT,
        ink => ink,
    };
    let bold = cell.modifier.contains(Modifier::BOLD);
    if cell.modifier.contains(Modifier::REVERSED) {
        (PAPER, Some(ink), bold)
    } else {
        (ink, None, bold)
    }
}

fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Red => "#ff6b68",
        Color::Green => "#6bd48f",
        Color::Yellow => "#f2c55c",
        Color::Cyan => "#5cc8d7",
        _ => INK,
    }
}

fn run(svg: &mut String, first: usize, y: u32, cells: &[Cell]) {
    let (ink, paper, bold) = look(&cells[0]);
    let left = |index: usize| BORDER + CELL.0 * u32::try_from(index).unwrap_or(0);
    let text: String = cells.iter().map(Cell::symbol).collect();
    if let Some(paper) = paper {
        let width = left(cells.len()) - BORDER;
        let (x, height) = (left(first), CELL.1);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{paper}\"/>"
        );
    }
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let mut place = first;
    // Viewers differ in what they make of spaces.
    for word in text.split(' ') {
        let (x, base, letters) = (left(place), y + ASCENT, word.chars().count());
        place += letters + 1;
        if letters == 0 {
            continue;
        }
        let length = left(letters) - BORDER;
        let escaped = word
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{base}\" textLength=\"{length}\" fill=\"{ink}\"{weight}>{escaped}</text>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{layout::Rect, style::Style};

    #[test]
    fn colours_and_markup_survive_in_the_picture() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(
            2,
            0,
            "a<b&c",
            Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        );
        buffer.set_string(
            0,
            1,
            "chosen",
            Style::new().add_modifier(Modifier::REVERSED),
        );
        assert_eq!(text(&buffer), "  a<b&c\nchosen\n");
        let svg = svg(&buffer);
        for part in [
            "width=\"136\" height=\"66\"",
            "<text x=\"32\" y=\"28\" textLength=\"45\" fill=\"#ff6b68\" font-weight=\"bold\">a&lt;b&amp;c</text>",
            "<rect x=\"14\" y=\"33\" width=\"54\" height=\"19\" fill=\"#d7dae0\"/>",
            "fill=\"#14161b\">chosen</text>",
        ] {
            assert!(svg.contains(part), "{part} is missing in:\n{svg}");
        }
    }
}
