//! Columns for a terminal.

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table: a head, and rows of as many cells. Each column is as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub(crate) fn new(head: &[(&'static str, Align)]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As text, with a line break after each line and no spaces before it.
    pub(crate) fn text(&self) -> String {
        let names = self
            .head
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let lines: Vec<&Vec<String>> = [&names].into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let mut shown = String::new();
            for (column, (_, align)) in self.head.iter().enumerate() {
                let cell = line.get(column).map_or("", String::as_str);
                let space = " ".repeat(widths[column] - cell.chars().count());
                let (before, after) = match align {
                    Align::Left => ("", space.as_str()),
                    Align::Right => (space.as_str(), ""),
                };
                let gap = if column == 0 { "" } else { "  " };
                shown.push_str(&[gap, before, cell, after].concat());
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("RING", Align::Left), ("LOST", Align::Right)]);
        table.row(vec!["prices.0".into(), "-".into()]);
        table.row(vec!["a".into(), "12345".into()]);
        assert_eq!(
            table.text(),
            "RING       LOST\nprices.0      -\na         12345\n"
        );
    }
}
