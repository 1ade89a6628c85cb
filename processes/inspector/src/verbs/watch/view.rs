//! How the dashboard is looked at: what is selected, filtered, sorted, opened. Keys change it.

use super::scene::{Key, Ring, Scene};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::cmp::Reverse;

/// What rings are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// From source to sink.
    #[default]
    Flow,
    /// Trouble first.
    Verdict,
    /// The fastest first.
    Rate,
    /// The fullest first.
    Fill,
    /// Most lost first.
    Lost,
    /// The slowest hop first.
    Latency,
    /// By name.
    Name,
}

impl Sort {
    const ALL: [Self; 7] = [
        Self::Flow,
        Self::Verdict,
        Self::Rate,
        Self::Fill,
        Self::Lost,
        Self::Latency,
        Self::Name,
    ];

    /// Its name in the title.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Verdict => "verdict",
            Self::Rate => "rate",
            Self::Fill => "fill",
            Self::Lost => "lost",
            Self::Latency => "p99",
            Self::Name => "name",
        }
    }

    fn next(self, step: usize) -> Self {
        let all = Self::ALL;
        let here = all.iter().position(|sort| *sort == self).unwrap_or(0);
        all[(here + step) % all.len()]
    }
}

/// The state of the screen.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) sort: Sort,
    /// Only rings with this in their names, messages, ends or verdicts.
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) help: bool,
    pub(super) selected: Option<Key>,
    /// The ring whose messages are followed.
    pub(super) opened: Option<Key>,
    /// Lines that the messages are scrolled back.
    pub(super) back: usize,
    pub(super) quit: bool,
}

impl View {
    /// The rings to show, in order.
    pub(super) fn rings<'s>(&self, scene: &'s Scene) -> Vec<&'s Ring> {
        let mut rings: Vec<&Ring> = scene
            .rings
            .iter()
            .filter(|ring| self.passes(ring))
            .collect();
        let number = |value: Option<f64>| Reverse(ordered(value.unwrap_or(-1.0)));
        match self.sort {
            Sort::Flow => {}
            Sort::Name => rings.sort_by(|a, b| a.name.cmp(&b.name)),
            Sort::Verdict => rings.sort_by_key(|ring| {
                (
                    !ring.verdict.trouble,
                    ["ok", "idle"].contains(&ring.verdict.name),
                )
            }),
            Sort::Rate => rings.sort_by_key(|ring| number(ring.rate)),
            Sort::Fill => rings.sort_by_key(|ring| number(ring.fill())),
            Sort::Lost => rings.sort_by_key(|ring| Reverse(ring.lost)),
            Sort::Latency => rings.sort_by_key(|ring| Reverse(ring.hop.map(|hop| hop.p99_ns))),
        }
        rings
    }

    fn passes(&self, ring: &Ring) -> bool {
        let filter = self.filter.to_lowercase();
        let texts = [
            Some(&*ring.pipeline),
            Some(&*ring.name),
            ring.message.as_deref(),
            ring.from.as_deref(),
            ring.to.as_deref(),
            Some(ring.verdict.name),
        ];
        filter.is_empty()
            || texts
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().contains(&filter))
    }

    /// Where the selected ring is among those shown; the first when it is not.
    pub(super) fn place(&self, rings: &[&Ring]) -> usize {
        let selected = self.selected.as_ref();
        let place = rings.iter().position(|ring| selected == Some(&ring.key()));
        place.unwrap_or(0)
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent, scene: &Scene) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            self.quit = true;
        } else if self.typing {
            self.type_filter(key.code);
        } else if self.help {
            // Any key leaves it.
            self.help = false;
            self.quit = key.code == KeyCode::Char('q');
        } else {
            self.command(key.code, scene);
        }
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
    }

    fn command(&mut self, code: KeyCode, scene: &Scene) {
        match code {
            KeyCode::Char('q') => self.quit = true,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.help = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(1),
            KeyCode::Char('S') => self.sort = self.sort.next(Sort::ALL.len() - 1),
            KeyCode::Char('/') => {
                self.opened = None;
                self.typing = true;
            }
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') if self.opened.is_none() => {
                let rings = self.rings(scene);
                self.opened = rings.get(self.place(&rings)).map(|ring| ring.key());
                self.selected.clone_from(&self.opened);
                self.back = 0;
            }
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => {
                self.leave();
            }
            KeyCode::Up | KeyCode::Char('k') => self.scroll(scene, -1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(scene, 1),
            KeyCode::PageUp => self.scroll(scene, -10),
            KeyCode::PageDown => self.scroll(scene, 10),
            KeyCode::Home | KeyCode::Char('g') => self.scroll(scene, isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.scroll(scene, isize::MAX),
            _ => {}
        }
    }

    /// Back from an open ring, or else to all rings.
    fn leave(&mut self) {
        if self.opened.take().is_none() {
            self.filter.clear();
        }
    }

    /// Down among rings; forward in time among messages.
    fn scroll(&mut self, scene: &Scene, lines: isize) {
        if self.opened.is_some() {
            self.back = match lines {
                ..0 => self.back.saturating_add(lines.unsigned_abs()),
                _ => self.back.saturating_sub(lines.unsigned_abs()),
            };
            return;
        }
        let rings = self.rings(scene);
        let last = rings.len().saturating_sub(1);
        let place = self.place(&rings).saturating_add_signed(lines).min(last);
        self.selected = rings.get(place).map(|ring| ring.key());
    }
}

/// A number that has an order: nothing here is more precise than a millionth.
fn ordered(value: f64) -> i128 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and NaN is 0")]
    let order = (value * 1e6) as i128;
    order
}
