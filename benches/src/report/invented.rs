//! Rows that nobody measured, for tests of what is done with rows.

use crate::{
    conditions::Conditions,
    cores::Cores,
    row::{Absent, Bar, Between, Claim, Results, Row, Target, Waiting},
};

/// A row of 64 B messages between two processes, its tail ten times as long at each nine.
pub(crate) fn row(experiment: &str, name: &str, level_ns: f64) -> Row {
    let tail = |nines: f64| level_ns * (1.0 + 0.05 * nines * nines * nines);
    Row {
        experiment: experiment.to_owned(),
        name: name.to_owned(),
        encoding: None,
        between: Between::Processes,
        waiting: Waiting::Spins,
        message_bytes: Some(64),
        slots: None,
        rings: None,
        gap_us: None,
        offered_per_s: None,
        achieved_per_s: None,
        lost: None,
        windows: 40,
        samples: 2_000_000,
        level_ns,
        p50_ns: level_ns * 0.99,
        p99_ns: tail(2.0),
        p999_ns: tail(3.0),
        p9999_ns: tail(4.0),
        max_ns: tail(6.3),
        curve: (0..=63)
            .map(|step| f64::from(step) / 10.0)
            .map(|nines| [1.0 - 10.0_f64.powf(-nines), tail(nines) * 0.97])
            .collect(),
        floor: "bare line".to_owned(),
        floor_ns: 55.3,
        ratio_to_floor: Some(level_ns / 55.3),
        ratio_to_floor_interval: Some([level_ns / 55.3 * 0.98, level_ns / 55.3 * 1.03]),
        rounds_compared: 38,
        ratio_to_rtrb: None,
        ratio_to_ours: Some(level_ns / 57.6),
        over_floor_ns: None,
        cpu_percent: None,
        push_ns: None,
    }
}

/// All experiments.
pub(super) fn results() -> Results {
    let mut rows = hops();
    rows.extend(streams());
    rows.extend(rates());
    rows.extend(wakes());
    rows.extend(fan_in());
    rows.extend(pipelines());
    for (name, level) in [("ours", 5.1), ("ours, stamped", 6.9), ("bare line", 4.4)] {
        rows.push(Row {
            slots: Some(4096),
            floor_ns: 4.4,
            ..row("stamps", name, level)
        });
    }
    Results {
        conditions: conditions(),
        targets: vec![
            target(
                "round trip by the bare ping-pong",
                Bar::AtMost(1.05),
                Some(1.042),
                true,
            ),
            target(
                "faster than the fastest socket by",
                Bar::AtLeast(50.0),
                Some(41.7),
                false,
            ),
            target(
                "p99.9 at 100 k/s by the floor's",
                Bar::AtMost(2.0),
                None,
                false,
            ),
        ],
        claims: vec![
            claim(
                "one hop over Redis pub/sub",
                "15-20 ms",
                Some(71_400.0),
                "hop: redis pub/sub, tcp, JSON",
            ),
            claim(
                "one hop through shared memory",
                "100-200 ns",
                Some(57.6),
                "hop: ours",
            ),
            claim("three hops over gRPC", "1-3 ms", None, ""),
        ],
        absent: vec![Absent {
            experiment: "hop".to_owned(),
            name: "Aeron IPC".to_owned(),
            reason: "not built; build with --features aeron".to_owned(),
        }],
        rows,
    }
}

fn conditions() -> Conditions {
    Conditions {
        cpu: "Invented Processor <3 & Co. @ 2.90GHz".to_owned(),
        kernel: "Linux 6.1.0 x86_64".to_owned(),
        cores: Cores { near: 0, far: 1 },
        online: 2,
        governor: Some("performance".to_owned()),
        clock_source: "tsc".to_owned(),
        clock_read_ns: 24.6,
        seconds: 412.0,
        steal_percent: 0.83,
        load: "2.11".to_owned(),
        near_involuntary: 312,
        far_involuntary: 97,
        warnings: vec![
            "tails: cores 0 and 1 were taken from the measurement 409 times; isolate them, or end what else runs".to_owned(),
            "absolute times: a virtual machine's cores move about; compare ratios only".to_owned(),
        ],
    }
}

fn target(name: &str, bar: Bar, value: Option<f64>, met: bool) -> Target {
    Target {
        name: name.to_owned(),
        bar,
        value,
        met,
    }
}

fn claim(what: &str, claimed: &str, measured_ns: Option<f64>, from: &str) -> Claim {
    Claim {
        what: what.to_owned(),
        claimed: claimed.to_owned(),
        measured_ns,
        from: from.to_owned(),
    }
}

type Hop = (&'static str, Option<&'static str>, Between, Waiting, f64);

const HOPS: [Hop; 30] = {
    use Between::{Nothing, Processes, Server, Threads};
    use Waiting::{Sleeps, Spins, Yields};
    [
        ("empty harness", None, Nothing, Spins, 26.0),
        ("bare line", None, Processes, Spins, 55.3),
        ("ours", Some("fixed"), Processes, Spins, 57.6),
        ("ours, sleeping", Some("fixed"), Processes, Sleeps, 9_412.0),
        ("our board", Some("fixed"), Processes, Spins, 61.0),
        ("ringfire", Some("fixed"), Threads, Spins, 64.2),
        ("rtrb", Some("fixed"), Threads, Spins, 78.9),
        ("crossbeam-channel", Some("fixed"), Threads, Yields, 210.0),
        ("iceoryx2", Some("fixed"), Processes, Spins, 480.0),
        (
            "shared_memory, as the proposal wrote it",
            Some("json"),
            Processes,
            Spins,
            2_150.0,
        ),
        ("pipe", Some("fixed"), Processes, Sleeps, 7_900.0),
        (
            "unix seqpacket socket",
            Some("fixed"),
            Processes,
            Sleeps,
            8_800.0,
        ),
        (
            "unix stream socket",
            Some("fixed"),
            Processes,
            Sleeps,
            8_600.0,
        ),
        (
            "unix stream socket",
            Some("json"),
            Processes,
            Sleeps,
            11_200.0,
        ),
        ("tcp", Some("fixed"), Processes, Sleeps, 17_400.0),
        ("tcp", Some("json"), Processes, Sleeps, 21_300.0),
        (
            "zeromq push/pull, ipc",
            Some("fixed"),
            Processes,
            Sleeps,
            39_000.0,
        ),
        (
            "zeromq push/pull, tcp",
            Some("fixed"),
            Processes,
            Sleeps,
            45_300.0,
        ),
        (
            "zeromq pub/sub, ipc",
            Some("json"),
            Processes,
            Sleeps,
            41_000.0,
        ),
        ("nats core, tcp", Some("fixed"), Server, Sleeps, 88_000.0),
        ("nats core, tcp", Some("json"), Server, Sleeps, 92_000.0),
        (
            "nats jetstream, tcp",
            Some("json"),
            Server,
            Sleeps,
            402_000.0,
        ),
        (
            "grpc stream, unix",
            Some("fixed"),
            Processes,
            Sleeps,
            121_000.0,
        ),
        (
            "grpc stream, tcp",
            Some("fixed"),
            Processes,
            Sleeps,
            143_000.0,
        ),
        (
            "redis pub/sub, unix",
            Some("fixed"),
            Server,
            Sleeps,
            58_100.0,
        ),
        (
            "redis pub/sub, unix",
            Some("json"),
            Server,
            Sleeps,
            61_300.0,
        ),
        ("redis pub/sub, tcp", Some("json"), Server, Sleeps, 71_400.0),
        (
            "redis streams, unix",
            Some("json"),
            Server,
            Sleeps,
            97_000.0,
        ),
        (
            "redis streams, tcp",
            Some("json"),
            Server,
            Sleeps,
            118_000.0,
        ),
        (
            "redis streams, tcp, pipelined XADD",
            Some("json"),
            Server,
            Sleeps,
            1_180_000.0,
        ),
    ]
};

fn hops() -> Vec<Row> {
    let hop = |(name, encoding, between, waiting, level): &Hop| Row {
        encoding: encoding.map(str::to_owned),
        between: *between,
        waiting: *waiting,
        ratio_to_rtrb: Some(level / 78.9),
        ..row("hop", name, *level)
    };
    HOPS.iter().map(hop).collect()
}

fn streams() -> Vec<Row> {
    let mut rows = Vec::new();
    for (bytes, slots) in [
        (24, 65_536),
        (56, 64),
        (56, 1024),
        (56, 65_536),
        (120, 65_536),
    ] {
        let deep = 1.0 + 1.0 / f64::from(slots).log2();
        for (name, level) in [
            ("bare line", 4.0),
            ("ours", 5.2),
            ("ours, batches of 64", 4.6),
            ("rtrb", 7.3),
            ("ringfire", 6.1),
        ] {
            rows.push(Row {
                message_bytes: Some(bytes),
                slots: Some(slots),
                floor_ns: 4.0,
                ..row("stream", name, level * deep * f64::from(bytes) / 56.0)
            });
        }
    }
    for (name, level) in [
        ("pipe", 820.0),
        ("redis pub/sub, unix", 9_300.0),
        ("tcp", 1_250.0),
    ] {
        rows.push(Row {
            message_bytes: Some(56),
            floor_ns: 4.0,
            ..row("stream", name, level)
        });
    }
    rows
}

fn rates() -> Vec<Row> {
    let mut rows = Vec::new();
    for rate in [1e3, 1e4, 1e5, 1e6, 1e7] {
        for (name, level, most) in [
            ("bare line", 60.0_f64, 2e7),
            ("ours", 66.0, 1.5e7),
            ("unix stream socket", 6_200.0, 7e5),
            ("redis pub/sub, unix", 48_000.0, 6e4),
            ("zeromq push/pull, ipc", 31_000.0, 9e5),
        ] {
            let late: f64 = if rate > most {
                900.0
            } else {
                1.0 + rate / most
            };
            rows.push(Row {
                offered_per_s: Some(rate),
                achieved_per_s: Some(f64::min(rate, most)),
                lost: (name == "redis pub/sub, unix").then_some(if rate > most {
                    1_204
                } else {
                    0
                }),
                ..row("rate", name, level * late)
            });
        }
    }
    rows
}

fn wakes() -> Vec<Row> {
    let mut rows = Vec::new();
    for gap in [10_u32, 100, 1_000, 10_000, 100_000] {
        for (name, waiting, level, cpu) in [
            ("ours, spinning", Waiting::Spins, 61.0, 100.0),
            ("ours, yielding", Waiting::Yields, 340.0, 99.1),
            (
                "ours, sleeping",
                Waiting::Sleeps,
                5_900.0,
                61.0 / (f64::from(gap) / 10.0).sqrt(),
            ),
            (
                "eventfd",
                Waiting::Sleeps,
                6_800.0,
                40.0 / (f64::from(gap) / 10.0).sqrt(),
            ),
        ] {
            rows.push(Row {
                gap_us: Some(gap.into()),
                waiting,
                cpu_percent: Some(cpu),
                push_ns: Some(if waiting == Waiting::Sleeps {
                    1_900.0
                } else {
                    12.0
                }),
                ..row("wake", name, level * (1.0 + f64::from(gap).log10() / 8.0))
            });
        }
    }
    rows
}

fn fan_in() -> Vec<Row> {
    let mut rows = Vec::new();
    for rings in [1_u32, 2, 4, 8, 16, 32, 64] {
        for (name, each) in [("ours", 3.4), ("bare lines", 2.9)] {
            rows.push(Row {
                rings: Some(rings),
                floor: "bare lines".to_owned(),
                ..row("fanin", name, 52.0 + each * f64::from(rings))
            });
        }
    }
    rows
}

fn pipelines() -> Vec<Row> {
    let chain = [
        ("ours, spinning", 312.0, 1_412.0),
        ("ours, sleeping", 22_800.0, 23_900.0),
        ("redis pub/sub, tcp", 214_000.0, 215_100.0),
        ("zeromq push/pull, ipc", 98_000.0, 99_100.0),
        ("grpc stream, tcp", 402_000.0, 403_100.0),
    ];
    let whole = [
        ("rings", 311_000.0, 100_398_000.0),
        ("Redis pub/sub", 4_120_000.0, 104_210_000.0),
    ];
    let above = |experiment: &str, floor: &str, (name, over, level): (&str, f64, f64)| Row {
        over_floor_ns: Some(over),
        floor: floor.to_owned(),
        floor_ns: level - over,
        ratio_to_floor: Some(level / (level - over)),
        ratio_to_floor_interval: None,
        message_bytes: None,
        waiting: Waiting::Sleeps,
        ..row(experiment, name, level)
    };
    chain
        .into_iter()
        .map(|it| above("chain", "the stages alone", it))
        .chain(
            whole
                .into_iter()
                .map(|it| above("end-to-end", "venue alone", it)),
        )
        .collect()
}
