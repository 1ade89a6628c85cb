//! What is aimed at, judged by the rows of a run; and what the proposal claimed.

use crate::{
    experiment::{chain, end_to_end, hop, launched::HotPath, rate, stream, switch, watched},
    rounds::{OURS, RINGFIRE, RTRB},
    row::{Bar, Claim, Row, Target},
};

/// The start of the names of what goes through a socket with nothing on top.
const SOCKETS: [&str; 3] = ["unix stream", "unix seqpacket", "tcp"];

/// Judges what the rows can tell.
#[must_use]
pub fn judge(rows: &[Row]) -> Vec<Target> {
    [
        hops(rows),
        streams(rows),
        tails(rows),
        chains(rows),
        shares(rows),
        ends(rows),
        switches(rows),
        watched(rows),
    ]
    .concat()
}

fn named<'a>(rows: &'a [Row], experiment: &str, name: &str) -> Option<&'a Row> {
    rows.iter()
        .find(|row| row.experiment == experiment && row.name == name)
}

fn target(name: impl Into<String>, bar: Bar, value: Option<f64>) -> Target {
    let met = value.is_some_and(|value| match bar {
        Bar::AtMost(most) => value <= most,
        Bar::AtLeast(least) => value >= least,
    });
    Target {
        name: name.into(),
        bar,
        value,
        met,
    }
}

/// Round trips of our spinning ring.
fn hops(rows: &[Row]) -> Vec<Target> {
    let Some(ours) = named(rows, hop::NAME, OURS) else {
        return Vec::new();
    };
    let mut targets = vec![target(
        "hop: ours / bare ping-pong",
        Bar::AtMost(1.05),
        ours.ratio_to_floor,
    )];
    if ours.ratio_to_rtrb.is_some() {
        targets.push(target(
            "hop: ours / rtrb",
            Bar::AtMost(0.8),
            ours.ratio_to_rtrb,
        ));
    }
    for (name, least) in [(RINGFIRE, 1.0), ("Aeron IPC", 4.0), ("iceoryx2", 4.0)] {
        if let Some(row) = named(rows, hop::NAME, name) {
            let name = format!("hop: {name} / ours");
            targets.push(target(name, Bar::AtLeast(least), row.ratio_to_ours));
        }
    }
    let fastest_socket = rows
        .iter()
        .filter(|row| row.experiment == hop::NAME)
        .filter(|row| SOCKETS.iter().any(|socket| row.name.starts_with(socket)))
        .filter_map(|row| Some((row.ratio_to_ours?, &row.name)))
        .min_by(|(one, _), (other, _)| one.total_cmp(other));
    if let Some((ratio, name)) = fastest_socket {
        let name = format!("hop: the fastest socket ({name}) / ours");
        targets.push(target(name, Bar::AtLeast(50.0), Some(ratio)));
    }
    targets
}

/// Streams: time per message of others by ours, which is our rate by theirs.
fn streams(rows: &[Row]) -> Vec<Target> {
    let mut targets = Vec::new();
    for (name, least) in [(RTRB, 1.25), (RINGFIRE, 1.1)] {
        let row = rows.iter().find(|row| {
            let shape = (row.message_bytes, row.slots);
            row.experiment == stream::NAME && row.name == name && shape == (Some(48), Some(4096))
        });
        if let Some(row) = row {
            let name = format!("stream: messages a second, 48 B, 4,096 slots, ours / {name}");
            targets.push(target(name, Bar::AtLeast(least), row.ratio_to_ours));
        }
    }
    let deep = rows.iter().find(|row| {
        row.experiment == stream::NAME
            && row.name == OURS
            && row.message_bytes == Some(56)
            && row.slots == Some(65_536)
    });
    if let Some(row) = deep {
        targets.extend([
            target(
                "stream: 56 B, 65,536 slots, ours / rtrb",
                Bar::AtMost(0.8),
                row.ratio_to_rtrb,
            ),
            target(
                "stream: 56 B, 65,536 slots, ours / floor",
                Bar::AtMost(1.5),
                row.ratio_to_floor,
            ),
        ]);
    }
    targets
}

/// The ring while somebody looks.
fn watched(rows: &[Row]) -> Vec<Target> {
    let row = named(rows, watched::NAME, watched::WATCHED);
    let judged = |row: &Row| {
        let name = "watched: round trip with the inspector's dashboard at 10 Hz / without";
        target(name, Bar::AtMost(1.02), row.ratio_to_floor)
    };
    row.map(judged).into_iter().collect()
}

/// Tails at fixed rates.
fn tails(rows: &[Row]) -> Vec<Target> {
    let ours = rows
        .iter()
        .filter(|row| row.experiment == rate::NAME && row.name == OURS);
    ours.filter_map(|row| {
        let floor = rows.iter().find(|floor| {
            floor.experiment == rate::NAME
                && floor.name == row.floor
                && floor.offered_per_s == row.offered_per_s
        })?;
        Some(target(
            format!(
                "rate: p99.9 of ours / of the floor, {:.0} a second",
                row.offered_per_s?
            ),
            Bar::AtMost(2.0),
            Some(row.p999_ns / floor.p999_ns),
        ))
    })
    .collect()
}

/// Three hops through the stages.
fn chains(rows: &[Row]) -> Vec<Target> {
    let ours = named(rows, chain::NAME, OURS);
    ours.map(|row| {
        target(
            "chain: ring time of three hops, us",
            Bar::AtMost(1.0),
            row.over_floor_ns.map(|ns| ns / 1000.0),
        )
    })
    .into_iter()
    .collect()
}

/// What the rings are of the way from tick to order where each loop spins on a core of its own: the three hops as `chain`
/// measures them, spinning on two cores, beside all other stages of the pipeline, whose rings sleep where cores are shared.
fn shares(rows: &[Row]) -> Vec<Target> {
    let hops = named(rows, chain::NAME, OURS).and_then(|row| row.over_floor_ns);
    let stages = rows
        .iter()
        .filter(|row| row.experiment == end_to_end::STAGES);
    let others = stages.filter(|row| !row.name.starts_with(end_to_end::RING));
    let others: f64 = others.map(|row| row.level_ns).sum();
    let Some(hops) = hops.filter(|_| others > 0.0) else {
        return Vec::new();
    };
    vec![target(
        "tick to order: rings, spinning (chain) / the whole with them, percent",
        Bar::AtMost(2.0),
        Some(100.0 * hops / (others + hops)),
    )]
}

/// The whole pipeline.
fn ends(rows: &[Row]) -> Vec<Target> {
    let rings = named(rows, end_to_end::NAME, HotPath::Rings.name());
    rings
        .map(|row| {
            target(
                "end-to-end: median over rings with a venue 100 ms away, ms",
                Bar::AtMost(101.0),
                Some(row.p50_ns / 1e6),
            )
        })
        .into_iter()
        .collect()
}

/// The kill switch, whichever way it is thrown.
fn switches(rows: &[Row]) -> Vec<Target> {
    let orders = rows.iter().filter(|row| {
        row.experiment == switch::NAME && row.name.ends_with(switch::TO_THE_LAST_ORDER)
    });
    let worst = orders.map(|row| row.max_ns).reduce(f64::max);
    let judged = |worst_ns: f64| {
        target(
            "switch: from the throw to the last order's first byte, worst of all, ms",
            Bar::AtMost(10.0),
            Some(worst_ns / 1e6),
        )
    };
    worst.map(judged).into_iter().collect()
}

/// The proposal's figures, as the design has kept them, beside what was measured. It claims a figure
/// for Redis and asks for one of shared memory; what it said of other transports is not kept, so
/// nothing stands beside theirs.
#[must_use]
pub fn claims(rows: &[Row]) -> Vec<Claim> {
    let one_way = |name: &str, encoding| {
        let row = rows.iter().find(|row| {
            row.experiment == hop::NAME && row.name == name && row.encoding.as_deref() == encoding
        });
        row.map(|row| row.level_ns / 2.0)
    };
    let over_floor = |name, encoding: Option<&str>| {
        let row = rows.iter().find(|row| {
            row.experiment == chain::NAME && row.name == name && row.encoding.as_deref() == encoding
        });
        row.and_then(|row| row.over_floor_ns)
    };
    let median = |name| named(rows, end_to_end::NAME, name).map(|row| row.p50_ns);
    let redis = "redis pub/sub, tcp";
    [
        (
            "one hop over Redis pub/sub",
            "15-20 ms",
            one_way(redis, Some("json")),
            "half of a round trip in hop: redis pub/sub, tcp, JSON",
        ),
        (
            "the hot path's three hops over Redis",
            "60 ms",
            over_floor(redis, Some("json")),
            "chain, without the stages: redis pub/sub, tcp, JSON",
        ),
        (
            "all hops together over shared memory",
            "under 0.1 ms",
            over_floor(OURS, None),
            "chain, without the stages: ours",
        ),
        (
            "end to end over Redis, venue 100 ms",
            "160-200 ms",
            median("Redis pub/sub"),
            "end-to-end: Redis pub/sub",
        ),
        (
            "end to end over shared memory, venue 100 ms",
            "100-120 ms",
            median("rings"),
            "end-to-end: rings",
        ),
    ]
    .map(|(what, claimed, measured_ns, from)| Claim {
        what: what.into(),
        claimed: claimed.into(),
        measured_ns,
        from: from.into(),
    })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::invented::row;

    #[test]
    fn the_rings_share_is_that_of_spinning_hops_beside_all_other_stages() {
        let stage = |name: &str, mean_ns: f64| row(end_to_end::STAGES, name, mean_ns);
        let mut rows = vec![
            stage("frame to message", 20_000.0),
            stage("ring to game_shard", 30_000.0),
            stage("request made and written", 29_500.0),
        ];
        assert!(shares(&rows).is_empty(), "nothing was seen to spin");
        let mut hops = row(chain::NAME, OURS, 900.0);
        hops.over_floor_ns = Some(500.0);
        rows.push(hops);
        let told = shares(&rows);
        assert_eq!(told[0].value, Some(1.0), "500 of 50,000 ns");
        assert!(told[0].met && shares(&rows[3..]).is_empty());
    }

    #[test]
    fn the_slowest_way_of_the_switch_counts_and_of_it_the_last_order() {
        let of = |(name, max_ns)| {
            let mut row = row(switch::NAME, name, 1e6);
            row.max_ns = max_ns;
            row
        };
        let rows = [
            ("signal, to the word", 90e6),
            ("signal, to the last order", 2e6),
            ("file, to the last order", 11e6),
        ]
        .map(of);
        let told = |rows: &[Row]| switches(rows).first().map(|told| (told.value, told.met));
        assert_eq!(told(&rows), Some((Some(11.0), false)));
        assert_eq!(told(&rows[..2]), Some((Some(2.0), true)));
        assert_eq!(told(&rows[..1]), None);
    }
}
