//! The screen, drawn into a buffer of any size.

use super::{
    columns::{Column, Width, draw},
    detail,
    figures::{bar, number, span, span_ns, sparkline},
    follow::Messages,
    help,
    scene::{Process, Ring, Scene, Word},
    view::{Sort, View},
};
use crate::presence::State;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

/// Characters of a fill bar.
const BAR: usize = 8;
/// A screen with fewer lines has none to spare for sentences.
const LEAST_FOR_ATTENTION: u16 = 12;
/// From here on a ring is nearly full.
const NEARLY_FULL: f64 = 0.8;

/// Draws everything.
pub(super) fn paint(buffer: &mut Buffer, scene: &Scene, view: &View, messages: Option<&Messages>) {
    let mut area = *buffer.area();
    if area.is_empty() {
        return;
    }
    title(buffer, top(&mut area, 1), scene, view);
    if area.height >= 4 {
        foot(buffer, bottom(&mut area, 1), view);
    }
    if view.help {
        return help::paint(buffer, area);
    }
    let opened = view.opened.as_ref();
    let opened = opened.and_then(|key| scene.rings.iter().find(|ring| ring.key() == *key));
    if let Some(ring) = opened {
        return detail::paint(buffer, area, scene, ring, view, messages);
    }
    let rings = view.rings(scene);
    if rings.is_empty() {
        let text = if scene.rings.is_empty() {
            "no rings: no pipeline runs here"
        } else {
            "no ring passes the filter"
        };
        say(buffer, top(&mut area, 1), text, dim());
    }
    let attention = attention(scene, area.width);
    let mut below = Rect::ZERO;
    if area.height >= LEAST_FOR_ATTENTION && !attention.is_empty() {
        let most = area.height / 4;
        below = bottom(&mut area, rows(attention.len()).min(most));
    }
    let height = usize::from(area.height);
    let wanted = scene.processes.len() + 1;
    // Rings first; the processes get what is left, but a third of a screen in any case.
    let for_rings = match height {
        ..8 => height,
        _ => (rings.len() + 1).min(height - wanted.min(height / 3)),
    };
    if !rings.is_empty() {
        let area = top(&mut area, rows(for_rings));
        paint_rings(buffer, area, scene, view, &rings);
    }
    if area.height >= 2 {
        let wanted = rows(wanted);
        // A line between, where there is one to spare.
        let gap = u16::from(area.height > wanted);
        top(&mut area, gap);
        paint_processes(buffer, top(&mut area, wanted), scene);
    }
    // What is left over is theirs.
    if below.height > 0 && area.height > 1 {
        let spare = area.height - 1;
        below = Rect {
            y: below.y - spare,
            height: below.height + spare,
            ..below
        };
    }
    for (line, style) in attention {
        say(buffer, top(&mut below, 1), &line, style);
    }
}

fn title(buffer: &mut Buffer, area: Rect, scene: &Scene, view: &View) {
    buffer.set_style(area, Style::new().add_modifier(Modifier::BOLD));
    let count = scene.troubles().count();
    let state = match count {
        0 => "all well".to_owned(),
        _ => format!("{count} in trouble"),
    };
    let state_width = rows(state.chars().count());
    let mut parts = vec![match scene.pipelines.as_slice() {
        [] => "arbees".to_owned(),
        names => names.join(" "),
    }];
    if let Some(up) = scene.up_s {
        parts.push(format!("up {}", span(up)));
    }
    if scene.over_s > 0.0 {
        parts.push(format!("rates over {}", span(scene.over_s)));
    }
    if view.sort != Sort::Flow {
        parts.push(format!("by {}", view.sort.name()));
    }
    if !view.filter.is_empty() && !view.typing {
        parts.push(format!("only `{}`", view.filter));
    }
    if view.paused {
        parts.insert(1, "PAUSED".into());
    }
    let room = area.width.saturating_sub(state_width + 1);
    let (left, right) = if room >= 4 {
        (
            Rect {
                width: room,
                ..area
            },
            Rect {
                x: area.x + room + 1,
                width: state_width,
                ..area
            },
        )
    } else {
        (Rect { width: 0, ..area }, area)
    };
    say(buffer, left, &parts.join("  "), Style::new());
    let style = if count > 0 {
        alarm()
    } else {
        Style::new().fg(Color::Green)
    };
    say(buffer, right, &state, style);
}

fn foot(buffer: &mut Buffer, area: Rect, view: &View) {
    let text = if view.typing {
        format!("filter: {}_   enter keep  esc clear", view.filter)
    } else if view.help {
        "any key back  q quit".into()
    } else if view.opened.is_some() {
        "q quit  esc back  p pause  up/down scroll  ? help".into()
    } else {
        "q quit  ? help  enter open  up/down select  s sort  / filter  p pause".into()
    };
    say(buffer, area, &text, dim());
}

fn paint_rings(buffer: &mut Buffer, area: Rect, scene: &Scene, view: &View, rings: &[&Ring]) {
    let head = area.height >= 3 || usize::from(area.height) > rings.len();
    let selected = view.place(rings);
    let shown = usize::from(area.height)
        .saturating_sub(usize::from(head))
        .max(1);
    let first = (selected + 1).saturating_sub(shown);
    let hidden = rings.len().saturating_sub(shown);
    let columns = ring_columns(scene, hidden);
    // Not before somebody has chosen: a bar across the first line would say something.
    let mark = view.selected.is_some().then(|| selected - first);
    draw(buffer, area, &columns, &rings[first..], head, mark);
}

fn column<'a, T>(
    (head, width, rank): (&str, Width, u8),
    cell: impl Fn(&T, usize) -> (String, Style) + 'a,
) -> Column<'a, T> {
    Column {
        head: head.into(),
        width,
        right: false,
        rank,
        cell: Box::new(cell),
    }
}

/// A column of numbers.
fn figure<'a, T>(
    (head, width, rank): (&str, u16, u8),
    cell: impl Fn(&T) -> (String, Style) + 'a,
) -> Column<'a, T> {
    Column {
        right: true,
        ..column((head, Width::Fixed(width), rank), move |row, _| cell(row))
    }
}

fn ring_columns(scene: &Scene, hidden: usize) -> Vec<Column<'_, Ring>> {
    use Width::{Fixed, Rest, Text};
    let end = |name: &Option<String>| (name.clone().unwrap_or_else(|| "-".into()), Style::new());
    let hop = |part: fn(&crate::sample::Percentiles) -> u64| {
        move |ring: &Ring| {
            plain(
                ring.hop
                    .as_ref()
                    .map_or("-".into(), |hop| span_ns(part(hop))),
            )
        }
    };
    vec![
        column((&titled("RING", hidden), Text(24), 0), |ring: &Ring, _| {
            let style = if ring.verdict.trouble {
                alarm()
            } else {
                Style::new()
            };
            (scene.label(&ring.pipeline, &ring.name), style)
        }),
        column(("MESSAGE", Text(16), 12), move |ring: &Ring, _| {
            end(&ring.message)
        }),
        column(
            ("FROM", Text(20), 10),
            move |ring: &Ring, _| end(&ring.from),
        ),
        column(("TO", Text(20), 11), move |ring: &Ring, _| end(&ring.to)),
        column(("VERDICT", Fixed(9), 1), |ring: &Ring, _| {
            verdict(&ring.verdict)
        }),
        figure(("MSG/S", 6, 2), |ring: &Ring| {
            plain(ring.rate.map_or("-".into(), number))
        }),
        column(("FILL", Fixed(8), 6), |ring: &Ring, _| {
            let part = ring.fill();
            let style = fill_style(part);
            match part {
                Some(part) => (format!("{:·<BAR$}", bar(part, BAR)), style),
                None => (String::new(), style),
            }
        }),
        figure(("DEPTH", 9, 3), |ring: &Ring| {
            let text = match (ring.depth, ring.capacity) {
                (Some(depth), Some(capacity)) => format!("{depth}/{capacity}"),
                _ => "-".into(),
            };
            (text, fill_style(ring.fill()))
        }),
        figure(("LOST", 6, 4), |ring: &Ring| lost(ring)),
        figure(("P50", 6, 7), hop(|hop| hop.p50_ns)),
        figure(("P99", 6, 5), hop(|hop| hop.p99_ns)),
        figure(("P99.9", 6, 13), hop(|hop| hop.p999_ns)),
        figure(("AGE99", 6, 14), |ring: &Ring| {
            plain(ring.age.map_or("-".into(), |age| span_ns(age.p99_ns)))
        }),
        figure(("LAST", 6, 8), |ring: &Ring| {
            plain(ring.last_s.map_or("-".into(), span))
        }),
        column(("TREND", Rest(6, 120), 9), |ring: &Ring, width| {
            (
                sparkline(&ring.history, width),
                Style::new().fg(Color::Cyan),
            )
        }),
    ]
}

/// The head of a table that has more lines than there is room for.
fn titled(name: &str, hidden: usize) -> String {
    match hidden {
        0 => name.to_owned(),
        _ => format!("{name} +{hidden}"),
    }
}

fn paint_processes(buffer: &mut Buffer, area: Rect, scene: &Scene) {
    use Width::{Fixed, Rest, Text};
    let hidden = (scene.processes.len() + 1).saturating_sub(usize::from(area.height));
    let columns = [
        column(
            (&titled("PROCESS", hidden), Text(24), 0),
            |process: &Process, _| {
                let style = if process.verdict.trouble {
                    alarm()
                } else {
                    Style::new()
                };
                (scene.label(&process.pipeline, &process.name), style)
            },
        ),
        column(("VERDICT", Fixed(9), 1), |process: &Process, _| {
            verdict(&process.verdict)
        }),
        column(("STATE", Fixed(8), 2), |process: &Process, _| {
            state(process.state)
        }),
        figure(("PID", 7, 9), |process: &Process| {
            plain(process.pid.map_or("-".into(), |pid| pid.to_string()))
        }),
        figure(("BEAT", 6, 3), |process: &Process| {
            plain(process.beat_s.map_or("-".into(), span))
        }),
        figure(("CPU", 4, 4), |process: &Process| {
            plain(process.cpu.map_or("-".into(), |cpu| format!("{cpu:.0}%")))
        }),
        figure(("CORE", 4, 5), |process: &Process| {
            plain(process.core.map_or("-".into(), |core| core.to_string()))
        }),
        figure(("RST", 3, 6), |process: &Process| {
            let restarts = process.restarts.filter(|count| *count > 0);
            match restarts {
                Some(count) => (format!("+{count}"), warning()),
                None => plain("-".into()),
            }
        }),
        figure(("UP", 6, 7), |process: &Process| {
            plain(process.up_s.map_or("-".into(), span))
        }),
        column(
            ("READS > WRITES", Rest(14, 120), 8),
            |process: &Process, _| {
                let side = |rings: &[String]| match rings {
                    [] => "-".to_owned(),
                    rings => rings.join(" "),
                };
                plain(format!(
                    "{} > {}",
                    side(&process.reads),
                    side(&process.writes)
                ))
            },
        ),
    ];
    let mut processes: Vec<&Process> = scene.processes.iter().collect();
    if hidden > 0 {
        // Those that do not fit should be those that nothing is wrong with.
        processes.sort_by_key(|process| !process.verdict.trouble);
    }
    draw(buffer, area, &columns, &processes, true, None);
}

/// What is wrong, why, and what to do: the first line of each, and the others.
fn attention(scene: &Scene, width: u16) -> Vec<(String, Style)> {
    let mut lines = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    for (name, word) in scene.troubles() {
        let said_already = !word.next.is_empty() && said.contains(&&*word.next);
        if said_already || word.cause.is_some() {
            continue;
        }
        said.push(&word.next);
        let next = if word.next.is_empty() { "" } else { "; " };
        let text = format!("{name} {}: {}{next}{}", word.name, word.evidence, word.next);
        for (index, line) in wrap(&text, usize::from(width)).into_iter().enumerate() {
            lines.push((line, if index == 0 { alarm() } else { Style::new() }));
        }
    }
    lines
}

/// Lines of at most `width` characters, broken at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let gap = usize::from(used > 0);
            if used + gap + rest.len() <= width || used == 0 {
                let taken: String = rest.drain(..rest.len().min(width)).collect();
                if let Some(line) = lines.last_mut() {
                    line.push_str(&" ".repeat(gap));
                    line.push_str(&taken);
                }
            } else {
                lines.push(String::new());
                continue;
            }
            if !rest.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}

fn plain(text: String) -> (String, Style) {
    (text, Style::new())
}

/// A verdict in its colour: red where somebody should act, yellow where something waits, none where all is well.
pub(super) fn verdict(word: &Word) -> (String, Style) {
    let style = match word.name {
        _ if word.trouble => alarm(),
        "ok" => Style::new(),
        "idle" | "closed" | "missing" => dim(),
        _ => warning(),
    };
    (word.name.to_owned(), style)
}

/// How far a process is; what is on its way somewhere stands out.
fn state(state: Option<State>) -> (String, Style) {
    let style = match state {
        Some(State::Running) => Style::new(),
        Some(State::Dead) => alarm(),
        Some(State::Starting | State::Stopping) => warning(),
        Some(State::Ended | State::Unknown) | None => dim(),
    };
    (state.map_or("-", State::name).to_owned(), style)
}

fn lost(ring: &Ring) -> (String, Style) {
    let lost = ring.lost.filter(|lost| *lost > 0);
    let Some(lost) = lost else {
        return plain("-".into());
    };
    let now = ring.lost_rate.is_some_and(|rate| rate > 0.0);
    let style = if now { alarm() } else { Style::new() };
    (number(crate::sample::float(lost)), style)
}

fn fill_style(part: Option<f64>) -> Style {
    match part {
        Some(NEARLY_FULL..) => alarm(),
        Some(0.5..) => warning(),
        _ => Style::new(),
    }
}

pub(super) fn alarm() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}

fn warning() -> Style {
    Style::new().fg(Color::Yellow)
}

pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// One line of text, cut where the area ends.
pub(super) fn say(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    if !area.is_empty() {
        buffer.set_stringn(area.x, area.y, text, usize::from(area.width), style);
    }
}

/// Takes lines off the top.
pub(super) fn top(area: &mut Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    let taken = Rect {
        height: lines,
        ..*area
    };
    area.y += lines;
    area.height -= lines;
    taken
}

fn bottom(area: &mut Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    area.height -= lines;
    Rect {
        y: area.bottom(),
        height: lines,
        ..*area
    }
}

/// As many lines, or as a screen can have.
pub(super) fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
