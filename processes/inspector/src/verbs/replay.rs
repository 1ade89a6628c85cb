//! `replay`: a recording played to the stages of a fresh pipeline.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    recording::Ending,
    replay::{Replayed, Speed, Sum, play},
    say,
    table::{Align, Table},
};
use clap::Args;
use serde::Serialize;
use std::{path::PathBuf, time::Instant};

/// What to replay.
#[derive(Debug, Args)]
#[command(after_help = "\
The real game shards and signal processor run on fresh rings in a directory of their own; whoever wrote their inputs
is played. Time is that of the messages, and they come one at a time, so the same recording gives the same signals
and orders, byte for byte: compare the hashes of two replays. Against the run itself they may differ where it took
messages of two rings in another order, lost a process, or freed the limits of a finished game. No process of a running
pipeline notices. With --rings, the directory is made there, else in /dev/shm. Nothing is left behind.

Exit codes: 0 played, 1 the recording was cut off or lacks messages, 2 it could not be played")]
pub(crate) struct ReplayArguments {
    /// The recording.
    file: PathBuf,
    /// `max`, `original`, or so many times as fast as recorded.
    #[arg(long, default_value = "max", value_parser = speed)]
    speed: Speed,
}

/// What `replay` says.
#[derive(Debug, Serialize)]
struct Told {
    pipeline: String,
    messages: u64,
    /// Rings whose first messages were gone when the recording began: then the run knew more than the replay.
    late: Vec<String>,
    lost: u64,
    ending: String,
    seconds: f64,
    rings: Vec<Ring>,
}

/// A ring that a stage has written.
#[derive(Debug, Serialize)]
struct Ring {
    name: String,
    #[serde(flatten)]
    sum: Sum,
    /// What was recorded of it; null where it was not.
    recorded: Option<Sum>,
}

/// Replays.
///
/// # Errors
///
/// When it cannot be played, or we are interrupted.
pub(super) fn run(arguments: &Arguments, what: &ReplayArguments) -> Result<Exit, Failure> {
    let place = match arguments.place.rings.as_slice() {
        [] => None,
        [one] => Some(one.as_path()),
        _ => {
            return Err(Failure::Other(
                "one directory is enough for a replay (fix: give --rings once)".into(),
            ));
        }
    };
    let began = Instant::now();
    let replayed = play(&what.file, what.speed, place)?;
    let sound = replayed.ending == Ending::Complete && replayed.lost == 0;
    let told = Told::of(replayed, began.elapsed().as_secs_f64());
    if arguments.json {
        let text = serde_json::to_string_pretty(&told);
        say(&(text.map_err(|error| Failure::Other(error.to_string()))? + "\n"))?;
    } else {
        say(&told.text())?;
    }
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

impl Told {
    fn of(replayed: Replayed, seconds: f64) -> Self {
        let rings = replayed.rings.into_iter();
        let rings = rings.map(|(name, sum, recorded)| Ring {
            name,
            sum,
            recorded,
        });
        Self {
            pipeline: replayed.pipeline,
            messages: replayed.played,
            late: replayed.late,
            lost: replayed.lost,
            ending: replayed.ending.to_string(),
            seconds,
            rings: rings.collect(),
        }
    }

    fn text(&self) -> String {
        let mut table = Table::new(&[
            ("RING", Align::Left),
            ("MESSAGES", Align::Right),
            ("RECORDED", Align::Right),
            ("", Align::Left),
            ("SHA-256", Align::Left),
        ]);
        for ring in &self.rings {
            let (recorded, same) = match &ring.recorded {
                None => ("-".to_owned(), ""),
                Some(sum) if *sum == ring.sum => (sum.messages.to_string(), "same"),
                Some(sum) => (sum.messages.to_string(), "differs"),
            };
            table.row(vec![
                ring.name.clone(),
                ring.sum.messages.to_string(),
                recorded,
                same.to_owned(),
                ring.sum.sha256.clone(),
            ]);
        }
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(", {lost} are missing in it"),
        };
        let late = match self.late.as_slice() {
            [] => String::new(),
            late => format!(
                "; it begins behind the first messages of {}",
                late.join(", ")
            ),
        };
        format!(
            "replayed `{}`: {} messages in {:.1} s{lost}; the recording is {}{late}\n{}",
            self.pipeline,
            self.messages,
            self.seconds,
            self.ending,
            table.text()
        )
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed::Max),
        "original" => Ok(Speed::Times(1.0)),
        number => match number.parse() {
            Ok(times) if (0.001..=1_000_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err("expected max, original, or a number from 0.001 to 1000000".into()),
        },
    }
}
