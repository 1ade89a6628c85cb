//! One ring: its figures, and its messages as they come.

use super::{
    columns::{Column, Width, draw},
    figures::{number, span, span_ns, sparkline},
    follow::{Line, Messages},
    paint::{dim, rows, say, top, verdict, wrap},
    scene::{Ring, Scene},
    view::View,
};
use crate::sample::Percentiles;
use ipc::clock;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

/// Lines of messages that remain whatever else there is to show.
const LEAST_LIST: u16 = 6;

pub(super) fn paint(
    buffer: &mut Buffer,
    mut area: Rect,
    scene: &Scene,
    ring: &Ring,
    view: &View,
    messages: Option<&Messages>,
) {
    facts(buffer, &mut area, scene, ring);
    let Some(messages) = messages else {
        return;
    };
    if let Some(fault) = &messages.fault {
        for line in wrap(fault, usize::from(area.width)) {
            say(buffer, top(&mut area, 1), &line, super::paint::alarm());
        }
        return;
    }
    let latest: Vec<&str> = messages.latest.lines().collect();
    let needed = rows(latest.len() + 1);
    if !latest.is_empty() && area.height >= needed + LEAST_LIST {
        for (index, line) in latest.iter().enumerate() {
            let line_area = top(&mut area, 1);
            if index == 0 {
                say(buffer, line_area, &format!("latest: {line}"), bold());
            } else {
                say(buffer, line_area, line, Style::new());
            }
        }
        top(&mut area, 1);
    }
    list(buffer, area, view, messages);
}

fn facts(buffer: &mut Buffer, area: &mut Rect, scene: &Scene, ring: &Ring) {
    let unknown = || "?".to_owned();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(unknown);
    let label = scene.label(&ring.pipeline, &ring.name);
    let to = if ring.board {
        "its readers".to_owned()
    } else {
        text(&ring.to)
    };
    let what = format!(
        "{label}  {} of {}  {} > {to}",
        ring.kind.unwrap_or("unreadable"),
        text(&ring.message),
        text(&ring.from)
    );
    say(buffer, top(area, 1), &what, bold());
    let (name, style) = verdict(&ring.verdict);
    let judged = format!("{name}: {}", ring.verdict.evidence);
    let next = format!("next: {}", ring.verdict.next);
    for (line, style) in [(judged, style), (next, Style::new())] {
        if line == "next: " {
            continue;
        }
        for part in wrap(&line, usize::from(area.width)) {
            say(buffer, top(area, 1), &part, style);
        }
    }
    say(buffer, top(area, 1), &counters(ring), Style::new());
    for (label, percentiles) in [("hop", &ring.hop), ("age", &ring.age)] {
        if let Some(percentiles) = percentiles {
            say(
                buffer,
                top(area, 1),
                &spread(label, percentiles),
                Style::new(),
            );
        }
    }
    if area.height > LEAST_LIST + 2 {
        let line = top(area, 1);
        let width = usize::from(line.width).min(120);
        let style = Style::new().fg(Color::Cyan);
        say(
            buffer,
            line,
            sparkline(&ring.history, width).trim_start(),
            style,
        );
        top(area, 1);
    }
}

/// Its counters on one line.
fn counters(ring: &Ring) -> String {
    let count =
        |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    let depth = match (ring.depth, ring.capacity) {
        (Some(depth), Some(capacity)) => format!("depth {depth}/{capacity}"),
        (None, Some(capacity)) => format!("{capacity} rows"),
        _ => "depth ?".into(),
    };
    let rate = ring
        .rate
        .filter(|rate| *rate > 0.0)
        .map_or("0".into(), number);
    let mut counters = format!("{rate}/s  published {}  {depth}", count(ring.published));
    if !ring.board {
        counters += &format!(
            "  lost {}  no room {} times",
            count(ring.lost),
            count(ring.full)
        );
    }
    let last = ring.last_s.map_or("-".into(), span);
    format!("{counters}  latest {last} ago")
}

fn spread(label: &str, times: &Percentiles) -> String {
    let [p50, p90, p99, p999, max] = [
        times.p50_ns,
        times.p90_ns,
        times.p99_ns,
        times.p999_ns,
        times.max_ns,
    ]
    .map(span_ns);
    format!(
        "{label}  p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}  of {}",
        times.count
    )
}

fn list(buffer: &mut Buffer, area: Rect, view: &View, messages: &Messages) {
    if messages.lines.is_empty() {
        return say(buffer, area, "no messages yet", dim());
    }
    let shown = usize::from(area.height).saturating_sub(1);
    let last = messages
        .lines
        .len()
        .saturating_sub(view.back)
        .max(shown.min(messages.lines.len()));
    let lines: Vec<&Line> = messages
        .lines
        .range(last.saturating_sub(shown)..last)
        .collect();
    let now = clock::mono_ns();
    let figure = |head: &str, rank: u8, most: u16| Column {
        head: head.into(),
        width: Width::Text(most),
        right: true,
        rank,
        cell: Box::new(|_: &Line, _| (String::new(), Style::new())),
    };
    let mut columns = vec![
        Column {
            cell: Box::new(|line: &Line, _| (line.number.to_string(), dim())),
            ..figure("NUMBER", 0, 20)
        },
        Column {
            cell: Box::new(move |line: &Line, _| {
                let age = line.at_ns.checked_sub(1).map(|at| now.saturating_sub(at));
                (age.map_or("-".into(), span_ns), dim())
            }),
            ..figure("SENT", 1, 7)
        },
    ];
    for (index, name) in messages.fields.iter().enumerate() {
        let times = ["_ns", "_us", "_ms"]
            .iter()
            .any(|unit| name.ends_with(unit));
        // Times fill much of a line and say little: they leave first.
        let rank = u8::try_from(index).unwrap_or(u8::MAX / 2) / 2 + if times { 128 } else { 2 };
        columns.push(Column {
            cell: Box::new(move |line: &Line, _| {
                let value = line.values.get(index).cloned();
                (value.unwrap_or_default(), Style::new())
            }),
            ..figure(name, rank, 24)
        });
    }
    draw(buffer, area, &columns, &lines, true, None);
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}
