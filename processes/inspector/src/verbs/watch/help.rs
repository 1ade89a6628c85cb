//! The page of keys and columns.

use super::paint::{dim, say, top};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

const LINES: [(&str, &str); 21] = [
    ("", "KEYS"),
    ("up down", "select a ring (also k j, page up and down, g G)"),
    (
        "enter",
        "open it: its figures, and its messages as they come; esc goes back",
    ),
    ("s S", "sort: flow, verdict, rate, fill, lost, p99, name"),
    (
        "/",
        "show only rings whose name, message, process or verdict contains a text",
    ),
    (
        "p space",
        "pause the screen; the pipeline does not notice, now or ever",
    ),
    ("q ctrl-c", "quit"),
    ("", "COLUMNS"),
    (
        "VERDICT",
        "ok, idle, blocked (held up by another ring), slow, stale, full, stuck,",
    ),
    (
        "",
        "dead, misplaced, corrupt; `shm-inspect verdict` has the evidence",
    ),
    ("MSG/S", "messages a second; of a board, writes"),
    (
        "DEPTH",
        "messages that wait, of how many slots; FILL is the same as a bar",
    ),
    ("LOST", "since creation; red while more are lost"),
    (
        "P50 P99",
        "time from push to pop over the last 10 s, for half and for 99 % of messages",
    ),
    (
        "AGE99",
        "from what caused a message, a tick mostly, to its pop, for 99 %",
    ),
    ("LAST", "since the latest message"),
    (
        "STATE",
        "how far the process says it is; dead: gone before it had ended",
    ),
    ("BEAT", "since its last word, or else its last sign of life"),
    (
        "CPU",
        "of one core; CORE is the one it is pinned to, or else ran on last",
    ),
    (
        "RST UP",
        "how often it was started again; since when it runs",
    ),
    (
        "",
        "Red wants somebody to act, yellow waits. All of it is read from shared memory.",
    ),
];

pub(super) fn paint(buffer: &mut Buffer, mut area: Rect) {
    for (key, text) in LINES {
        if area.height == 0 {
            return;
        }
        let line = top(&mut area, 1);
        let heading = key.is_empty() && text.chars().all(char::is_uppercase);
        let style = if heading { dim() } else { Style::new() };
        say(buffer, line, key, Style::new().add_modifier(Modifier::BOLD));
        let indent = if heading { 0 } else { 10.min(line.width) };
        let rest = Rect {
            x: line.x + indent,
            width: line.width - indent,
            ..line
        };
        say(buffer, rest, text, style);
    }
}
