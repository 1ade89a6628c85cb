//! Columns that leave, the least important first, when the screen is narrow.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

/// How wide a column is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    /// Always so.
    Fixed(u16),
    /// As its widest text, up to so much.
    Text(u16),
    /// What the others leave, at least the first and at most the second.
    Rest(u16, u16),
}

/// What stands in a cell of so many characters, and how it looks.
pub(super) type Cell<'a, T> = Box<dyn Fn(&T, usize) -> (String, Style) + 'a>;

/// A column of a table of `T`.
pub(super) struct Column<'a, T> {
    pub(super) head: String,
    pub(super) width: Width,
    /// Numbers stand at the right.
    pub(super) right: bool,
    /// The higher, the sooner it leaves.
    pub(super) rank: u8,
    pub(super) cell: Cell<'a, T>,
}

/// The columns that fit, each with its place and width.
pub(super) fn fit<'c, 'a, T>(
    columns: &'c [Column<'a, T>],
    rows: &[&T],
    width: u16,
) -> Vec<(&'c Column<'a, T>, u16, u16)> {
    let least = |column: &Column<'_, T>| match column.width {
        Width::Fixed(width) => width,
        Width::Rest(least, _) => least,
        Width::Text(most) => {
            let texts = rows
                .iter()
                .map(|row| (column.cell)(row, usize::from(most)).0);
            let widest = texts.map(|text| length(&text)).max().unwrap_or(0);
            widest.max(length(&column.head)).min(most)
        }
    };
    let widths: Vec<u16> = columns.iter().map(least).collect();
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|index| columns[*index].rank);
    let mut used = 0_u16;
    let mut shown = vec![false; columns.len()];
    for index in order {
        let gap = u16::from(used > 0);
        let with = used.saturating_add(gap).saturating_add(widths[index]);
        // The first stays, cut if need be. Once one does not fit, none of less importance does.
        if with > width && used > 0 {
            break;
        }
        shown[index] = true;
        used = with.min(width);
    }
    let mut spare = width - used;
    let mut x = 0;
    let mut placed = Vec::new();
    for (index, column) in columns
        .iter()
        .enumerate()
        .filter(|(index, _)| shown[*index])
    {
        let mut own = widths[index];
        if let Width::Rest(_, most) = column.width {
            let more = spare.min(most.saturating_sub(own));
            own += more;
            spare -= more;
        }
        placed.push((column, x, own.min(width.saturating_sub(x))));
        x += own + 1;
    }
    placed
}

/// Draws a head line and rows below it, as many as fit.
pub(super) fn draw<T>(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column<'_, T>],
    rows: &[&T],
    head: bool,
    selected: Option<usize>,
) {
    let placed = fit(columns, rows, area.width);
    let mut y = area.y;
    if head && area.height > 0 {
        let style = Style::new().add_modifier(Modifier::DIM);
        for (column, x, width) in &placed {
            put(
                buffer,
                (area.x + x, y, *width),
                &column.head,
                column.right,
                style,
            );
        }
        y += 1;
    }
    for (index, row) in rows.iter().enumerate() {
        if y >= area.bottom() {
            return;
        }
        for (column, x, width) in &placed {
            let (text, style) = (column.cell)(row, usize::from(*width));
            put(buffer, (area.x + x, y, *width), &text, column.right, style);
        }
        if selected == Some(index) {
            let line = Rect {
                y,
                height: 1,
                ..area
            };
            buffer.set_style(line, Style::new().add_modifier(Modifier::REVERSED));
        }
        y += 1;
    }
}

/// Puts a text into a cell; one that is too long ends with `…`.
fn put(buffer: &mut Buffer, (x, y, width): (u16, u16, u16), text: &str, right: bool, style: Style) {
    let long = length(text);
    if width == 0 {
        return;
    }
    if long > width {
        let cut: String = text.chars().take(usize::from(width) - 1).collect();
        buffer.set_stringn(x, y, cut + "…", usize::from(width), style);
        return;
    }
    let x = if right { x + width - long } else { x };
    buffer.set_stringn(x, y, text, usize::from(width), style);
}

/// Characters of a text, as far as a screen goes.
fn length(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}
