//! What a run says in three sentences, of the experiments that it has.

use super::{
    number::{per_second, ratio, time},
    section::{Section, ascending, fell_behind, is_floor, is_ours, sections},
};
use crate::row::{Between, Results, Row};

/// So many sentences.
const SENTENCES: usize = 3;

/// The sentences, the one that matters most first. Every figure in them is in a row.
pub(super) fn answer(results: &Results) -> Vec<String> {
    let sections = sections(results);
    let mut told: Vec<(&str, String)> = Vec::new();
    for (name, tell) in TELLERS {
        let section = sections.iter().find(|section| section.name == name);
        told.extend(section.and_then(tell).map(|sentence| (name, sentence)));
    }
    for section in &sections {
        if !told.iter().any(|(name, _)| *name == section.name) {
            told.extend(range(section).map(|sentence| (section.name, sentence)));
        }
    }
    let sentences = told.into_iter().map(|(_, sentence)| sentence);
    sentences.take(SENTENCES).collect()
}

/// Says something of an experiment.
type Teller = fn(&Section<'_>) -> Option<String>;

const TELLERS: [(&str, Teller); 6] = [
    ("hop", ours),
    ("hop", others),
    ("end-to-end", above_floor),
    ("chain", above_floor),
    ("stream", stream),
    ("rate", rate),
];

fn fastest<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<&'a Row> {
    rows.filter(|row| row.level_ns.is_finite())
        .min_by(|one, other| ascending(one.level_ns, other.level_ns))
}

fn of_ours<'a>(section: &Section<'a>) -> Option<&'a Row> {
    fastest(section.rows.iter().copied().filter(|row| is_ours(row)))
}

fn ours(section: &Section<'_>) -> Option<String> {
    let row = of_ours(section)?;
    let times = row.ratio_to_floor.filter(|it| it.is_finite())?;
    let interval = row
        .ratio_to_floor_interval
        .filter(|ends| ends.iter().all(|end| end.is_finite()))
        .map_or_else(String::new, |[low, high]| {
            format!(" (95 % interval {} to {})", ratio(low), ratio(high))
        });
    Some(format!(
        "There and back through our ring takes {} in the median, {} times what the machine itself needs for it{interval}: \"{}\" takes {}.",
        time(row.level_ns),
        ratio(times),
        row.floor,
        time(row.floor_ns)
    ))
}

fn others(section: &Section<'_>) -> Option<String> {
    of_ours(section)?;
    let mut rows: Vec<(&Row, f64)> = section
        .rows
        .iter()
        .filter(|row| !is_ours(row) && !is_floor(row))
        .filter(|row| matches!(row.between, Between::Processes | Between::Server))
        .filter_map(|row| Some((*row, row.ratio_to_ours.filter(|it| it.is_finite())?)))
        .collect();
    rows.sort_by(|one, other| one.1.total_cmp(&other.1));
    match rows.as_slice() {
        [] => None,
        [(row, times)] => Some(format!(
            "Another way between two processes takes {} times as long ({}).",
            ratio(*times),
            row.title()
        )),
        [(first, least), .., (last, most)] => Some(format!(
            "Of the {} other ways between two processes the fastest takes {} times as long ({}), the slowest {} times ({}).",
            rows.len(),
            ratio(*least),
            first.title(),
            ratio(*most),
            last.title()
        )),
    }
}

fn above_floor(section: &Section<'_>) -> Option<String> {
    let over = |row: &Row| row.over_floor_ns.filter(|it| it.is_finite());
    let mut rows: Vec<(&Row, f64)> = section
        .rows
        .iter()
        .filter(|row| !is_floor(row))
        .filter_map(|row| Some((*row, over(row)?)))
        .collect();
    rows.sort_by(|one, other| one.1.total_cmp(&other.1));
    let say = |(row, over): &(&Row, f64)| {
        format!(
            "{} over {} ({} more)",
            time(row.level_ns),
            row.title(),
            time(*over)
        )
    };
    let (what, floor) = match section.name {
        "chain" => (
            "Three hops between the pipeline's stages take",
            "the stages alone",
        ),
        _ => ("From a tick to the venue's answer it takes", "the floor"),
    };
    match rows.as_slice() {
        [] => None,
        [only] => Some(format!("{what} {} than {floor}.", say(only))),
        [first, .., last] => Some(format!(
            "{what} {} than {floor}, and {}.",
            say(first),
            say(last)
        )),
    }
}

fn stream(section: &Section<'_>) -> Option<String> {
    let with_rtrb = |row: &&Row| is_ours(row) && row.ratio_to_rtrb.is_some_and(f64::is_finite);
    let row =
        fastest(section.rows.iter().copied().filter(with_rtrb)).or_else(|| of_ours(section))?;
    let rtrb = row.ratio_to_rtrb.map_or_else(String::new, |times| {
        format!(
            ", {} times what rtrb takes between two threads",
            ratio(times)
        )
    });
    Some(format!(
        "As fast as it goes, a message costs {} through {}{rtrb}: {} a second.",
        time(row.level_ns),
        row.title(),
        per_second(1e9 / row.level_ns)
    ))
}

fn rate(section: &Section<'_>) -> Option<String> {
    let rate = |row: &Row| row.offered_per_s.unwrap_or(0.0);
    let kept = |row: &&&Row| is_ours(row) && fell_behind(row).is_none() && rate(row) > 0.0;
    let row = section
        .rows
        .iter()
        .filter(kept)
        .max_by(|one, other| rate(one).total_cmp(&rate(other)))?;
    Some(format!(
        "At {} messages a second, each timed from when it was due, {} keeps up, with a 99.9th percentile of {}.",
        per_second(rate(row)),
        row.title(),
        time(row.p999_ns)
    ))
}

fn range(section: &Section<'_>) -> Option<String> {
    let known = || {
        section
            .rows
            .iter()
            .copied()
            .filter(|row| row.level_ns.is_finite())
    };
    let first = fastest(known())?;
    let last = known().max_by(|one, other| one.level_ns.total_cmp(&other.level_ns))?;
    Some(format!(
        "{}: from {} ({}) to {} ({}).",
        section.title(),
        time(first.level_ns),
        first.title(),
        time(last.level_ns),
        last.title()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::invented;

    #[test]
    fn the_hop_and_the_pipeline_come_first() {
        let told = answer(&invented::results());
        assert_eq!(told.len(), SENTENCES);
        assert!(
            told[0].contains("57.6 ns") && told[0].contains("1.04 times"),
            "{told:?}"
        );
        assert!(told[0].contains("1.02 to 1.07"), "{told:?}");
        assert!(
            told[1].contains("(redis streams, tcp, pipelined XADD, JSON)"),
            "{told:?}"
        );
        assert!(
            told[2].contains("100 ms over rings (311 µs more)"),
            "{told:?}"
        );
    }

    #[test]
    fn each_experiment_alone_says_something() {
        for name in [
            "hop",
            "stream",
            "rate",
            "wake",
            "fanin",
            "chain",
            "end-to-end",
            "stamps",
        ] {
            let mut results = invented::results();
            results.rows.retain(|row| row.experiment == name);
            assert!(!answer(&results).is_empty(), "{name}");
            results.rows.retain(|row| !is_ours(row));
            assert_eq!(answer(&results).len(), 1, "{name}");
        }
    }

    #[test]
    fn no_number_makes_no_sentence() {
        let mut results = invented::results();
        for row in &mut results.rows {
            row.level_ns = f64::NAN;
            row.ratio_to_floor = Some(f64::NAN);
            row.ratio_to_ours = None;
            row.over_floor_ns = Some(f64::NAN);
            row.p999_ns = f64::NAN;
        }
        results.rows.retain(|row| row.experiment != "rate");
        assert_eq!(answer(&results), Vec::<String>::new());
        results.rows.clear();
        assert!(answer(&results).is_empty());
    }
}
