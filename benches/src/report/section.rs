//! The rows of a run, experiment by experiment.

use crate::row::{Results, Row, Waiting};
use std::cmp::Ordering;

/// The rows of one experiment.
pub(super) struct Section<'a> {
    /// Its name, such as `hop`.
    pub(super) name: &'a str,
    /// What it asks.
    pub(super) question: Question,
    /// By shape, and among rows of one shape by their level.
    pub(super) rows: Vec<&'a Row>,
}

/// What an experiment asks.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// Heading.
    pub(super) title: &'static str,
    /// What its times are.
    pub(super) about: &'static str,
    /// Over the column of `level_ns`.
    pub(super) level: &'static str,
}

const QUESTIONS: [(&str, Question); 11] = [
    (
        "hop",
        Question {
            title: "Hop: there and back",
            about: "One message at a time, to the other side and back. Percentiles are of single round trips.",
            level: "median",
        },
    ),
    (
        "stream",
        Question {
            title: "Stream: as fast as it goes",
            about: "Time per message while the sender never waits for anything but room. Percentiles are of blocks of messages.",
            level: "per message",
        },
    ),
    (
        "rate",
        Question {
            title: "Rate: messages that are due",
            about: "Messages are due at a fixed rate, whether or not the one before got through, and timed from when they were due: a transport that falls behind shows it.",
            level: "median",
        },
    ),
    (
        "wake",
        Question {
            title: "Wake: after a silence",
            about: "From push to pop after a gap, by the way of waiting, with the processor time that the waiting takes.",
            level: "median",
        },
    ),
    (
        "fanin",
        Question {
            title: "Fan-in: one reader, many rings",
            about: "One reader polls many rings: what it costs as their number grows.",
            level: "median",
        },
    ),
    (
        "chain",
        Question {
            title: "Chain: three hops through the pipeline's stages",
            about: "The real stages with a transport between them. The floor is the stages alone, so what lies above it is the transport alone.",
            level: "median",
        },
    ),
    (
        "end-to-end",
        Question {
            title: "End to end: the whole pipeline",
            about: "From a tick's arrival to the venue's answer to the order that it caused, the venue included.",
            level: "median",
        },
    ),
    (
        "tick to order by stage",
        Question {
            title: "Tick to order, by stage",
            about: "From the arrival of a tick's frame to the first byte of its order, in the running pipeline over rings. The stages sum to the whole; its rings sleep where hot loops share cores, `chain` has them spinning. Beyond p99 only the maximum is known.",
            level: "mean",
        },
    ),
    (
        "switch",
        Question {
            title: "Switch: how long the pipeline trades on",
            about: "From the throw of the kill switch, each way, until the launcher's word is on the board, and until the first byte of the last order was written. Thrown just when an order was made; 0 where nothing was written any more.",
            level: "median",
        },
    ),
    (
        "watched",
        Question {
            title: "Watched: a ring that somebody looks at",
            about: "Round trips with and without `shm-inspect watch` at 10 frames a second on the same rings, in turns.",
            level: "median",
        },
    ),
    (
        "stamps",
        Question {
            title: "Stamps: what the time of sending costs",
            about: "Time per message of a stream whose messages carry the time at which they were sent; the reader records each latency and age in the segment.",
            level: "per message",
        },
    ),
];

/// The experiments of a run, in its order.
pub(super) fn sections(results: &Results) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for row in &results.rows {
        match sections
            .iter_mut()
            .find(|section| section.name == row.experiment)
        {
            Some(section) => section.rows.push(row),
            None => sections.push(Section {
                name: &row.experiment,
                question: question(&row.experiment),
                rows: vec![row],
            }),
        }
    }
    for section in &mut sections {
        section.rows.sort_by(|one, other| {
            shape_order(one, other).then_with(|| ascending(one.level_ns, other.level_ns))
        });
    }
    sections
}

fn question(name: &str) -> Question {
    QUESTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(
            || Question {
                title: "",
                about: "",
                level: "median",
            },
            |(_, question)| *question,
        )
}

impl Section<'_> {
    /// Its heading; an experiment that this report does not know is headed by its name.
    pub(super) fn title(&self) -> &str {
        if self.question.title.is_empty() {
            self.name
        } else {
            self.question.title
        }
    }
}

/// Numbers that are none come last.
pub(super) fn ascending(one: f64, other: f64) -> Ordering {
    one.is_nan()
        .cmp(&other.is_nan())
        .then_with(|| one.total_cmp(&other))
}

fn shape_order(one: &Row, other: &Row) -> Ordering {
    // What has no depth or no size comes after what has.
    let last = |value: Option<u32>| value.unwrap_or(u32::MAX);
    let whole = |row: &Row| {
        let (bytes, slots) = (last(row.message_bytes), last(row.slots));
        (row.rings, row.gap_us, bytes, slots)
    };
    let rate = |row: &Row| row.offered_per_s.unwrap_or(0.0);
    ascending(rate(one), rate(other)).then_with(|| whole(one).cmp(&whole(other)))
}

/// Whether both were measured at the same rate, with as many rings of the same size, and so on.
pub(super) fn same_shape(one: &Row, other: &Row) -> bool {
    shape_order(one, other) == Ordering::Equal
}

/// How a row is called among others: with its way of waiting, where that alone tells it from another.
pub(super) fn title_among(row: &Row, rows: &[&Row]) -> String {
    let title = row.title();
    let also = rows
        .iter()
        .any(|other| other.waiting != row.waiting && other.title() == title);
    if also {
        format!("{title}, {}", waiting(row.waiting))
    } else {
        title
    }
}

/// What the receiver does while there is nothing.
pub(super) const fn waiting(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::Spins => "spins",
        Waiting::Yields => "yields",
        Waiting::Sleeps => "sleeps",
    }
}

/// Whether this is this project's transport.
pub(super) fn is_ours(row: &Row) -> bool {
    let name = row.name.to_lowercase();
    let rest = name.strip_prefix("ours").or_else(|| {
        name.strip_prefix("our ")
            .or_else(|| name.strip_prefix("rings"))
            .map(|_| "")
    });
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// Whether this is what the others are compared with.
pub(super) fn is_floor(row: &Row) -> bool {
    row.name == row.floor
}

/// Below this share of what was due a transport did not keep up.
const KEPT_UP: f64 = 0.95;

/// The share of the offered messages that arrived, where that is less than keeping up.
pub(super) fn fell_behind(row: &Row) -> Option<f64> {
    let share = row.achieved_per_s? / row.offered_per_s?;
    (share.is_nan() || share < KEPT_UP).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::invented;

    #[test]
    fn rows_are_ordered_by_shape_and_level_and_no_number_comes_last() {
        let mut results = invented::results();
        results.rows = vec![
            invented::row("hop", "slow", 900.0),
            invented::row("hop", "unknown", f64::NAN),
            invented::row("hop", "fast", 60.0),
            Row {
                message_bytes: Some(8),
                ..invented::row("hop", "small", 5_000.0)
            },
        ];
        let names: Vec<&str> = sections(&results)[0]
            .rows
            .iter()
            .map(|row| row.name.as_str())
            .collect();
        assert_eq!(names, ["small", "fast", "slow", "unknown"]);
    }

    #[test]
    fn ours_is_told_by_its_name() {
        let named = |name| is_ours(&invented::row("hop", name, 1.0));
        assert!(named("ours"));
        assert!(named("ours, sleeping"));
        assert!(named("our board"));
        assert!(named("rings"));
        assert!(!named("ourselves"));
        assert!(!named("ringfire"));
        assert!(!named("yours"));
    }

    #[test]
    fn rows_of_one_name_are_told_by_how_they_wait() {
        let one = invented::row("wake", "ours", 1.0);
        let other = Row {
            waiting: Waiting::Sleeps,
            ..one.clone()
        };
        assert_eq!(title_among(&one, &[&one]), "ours");
        assert_eq!(title_among(&one, &[&one, &other]), "ours, spins");
        assert_eq!(title_among(&other, &[&one, &other]), "ours, sleeps");
    }

    #[test]
    fn falling_behind_is_less_than_95_percent() {
        let mut row = invented::row("rate", "tcp", 1.0);
        assert_eq!(fell_behind(&row), None);
        row.offered_per_s = Some(1000.0);
        row.achieved_per_s = Some(950.0);
        assert_eq!(fell_behind(&row), None);
        row.achieved_per_s = Some(940.0);
        assert_eq!(fell_behind(&row), Some(0.94));
        row.achieved_per_s = Some(f64::NAN);
        assert!(fell_behind(&row).is_some());
    }

    #[test]
    fn an_unknown_experiment_keeps_its_name() {
        let mut results = invented::results();
        results.rows = vec![invented::row("sideways", "x", 1.0)];
        assert_eq!(sections(&results)[0].title(), "sideways");
    }
}
