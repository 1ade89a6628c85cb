//! `verdict`: what is wrong, by whom, and what to do about it.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    judge::{Bounds, Judgement, Verdict, Words, judge},
    sample::{Sample, Sources},
    say, say_json,
    table::{Align, Table, span},
    words::Server,
};
use std::{collections::BTreeSet, thread, time::Duration};

pub(crate) const HELP: &str = "\
Example: somebody has stopped execution_service with SIGSTOP.

  $ shm-inspect verdict
  VERDICT  WHAT     NAME                SINCE  EVIDENCE
  stuck    process  execution_service  2.13 s  execution_service (pid 1031) is there, but says nothing of itself, for 2.13 s now: ...
    next: see its state (`grep State /proc/1031/status`): continue it if it is stopped (`kill -CONT 1031`), else kill it ...
  stale    ring     acks               2.07 s  execution_service (pid 1031) holds its role, but has neither sent nor beaten for 2.07 s
    next: nothing here: see process execution_service
  stale    ring     fills              2.07 s  execution_service (pid 1031) holds its role, but has neither sent nor beaten for 2.07 s
  ok       ring     prices.0                -  694/s, 0 of 4096 messages
  ok       process  game_shard.0            -  running for 70.8 s, 2 % of a core; reads games.0, prices.0; writes signals.0

Verdicts, the worst first; `ok`, `idle` and `closed` are no trouble unless something waits:
  corrupt     no sound header, or counters that contradict each other
  unreadable  the system does not let us look
  misplaced   each side is alone on a file of its own: ask the pipeline's Redis, --redis RUN_DIR/pipeline.toml, or give both directories,
              --rings A --rings B; or a full ring that never had a consumer
  dead        a role is empty, and its last holder has not said goodbye; a process is gone that had not ended
  stuck       attached, messages wait, and the position does not move; a process says nothing for --stale seconds
  full        the producer finds no room, although the consumer works
  stale       attached, nothing waits, and nothing was heard for --stale seconds
  slow        it will be full within --soon seconds, or it loses messages; by whom
  blocked     its process waits for room in another ring, which has a verdict of its own
  missing     a role, or the place of a process, that nobody has taken yet
  closed      a role is empty after a goodbye
  idle        nothing to do
  ok          messages flow

A process is judged by what it says of itself four times a second, if it does; else it has the worst verdict of the rings whose
trouble is its doing. What follows from another fault says so: with --json its `cause` is that fault, and null where one begins.
With --json a process has its `vitals`, as in `watch` and `graph`. PIDs are those of its own PID namespace.

Exit codes: 0 no trouble; 1 trouble; 2 no rings, or some that cannot be looked at; Redis does not answer.";

/// How to judge.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds between the two looks that are compared.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// A producer of which nothing was heard for so many seconds is stale.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    stale: Duration,
    /// A ring that will be full within so many seconds is slow.
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    soon: Duration,
    /// Asks the Redis of the pipeline too, which file each process has: `redis://HOST:PORT`, `unix:///PATH`, or the `pipeline.toml` of the
    /// run directory, which says where it is (a password belongs there). Finds rings of which each side has a file of its own, even where
    /// only one of the two is seen from here.
    #[arg(long, value_name = "URL|FILE")]
    redis: Option<String>,
    /// The pipeline to ask Redis about; by default those whose rings are found.
    #[arg(long, value_name = "NAME", requires = "redis")]
    pipeline: Option<String>,
}

/// Looks twice, and judges.
///
/// # Errors
///
/// When a directory cannot be read, Redis is to be asked and does not answer, or there is nothing to judge.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let mut server = match &options.redis {
        Some(url) => Some(Server::connect(url)?),
        None => None,
    };
    let mut sources = Sources::open(&arguments.place.rings)?;
    let before = sources.read();
    thread::sleep(options.interval);
    sources.refresh()?;
    let after = sources.read();
    let words = match &mut server {
        Some(server) => words(server, options, &after)?,
        None => Vec::new(),
    };
    if after.is_empty() && words.iter().all(|words| words.ends.is_empty()) {
        return Err(Failure::Other(
            "there are no rings: no pipeline runs (fix: name the directory of its rings with --rings)".into(),
        ));
    }
    let bounds = Bounds {
        stale: options.stale,
        soon: options.soon,
    };
    let judged = judge(&before, &after, &words, &bounds);
    if arguments.json {
        say_json(&judged)?;
    } else {
        say(&table(&judged).text())?;
    }
    Ok(exit(&judged))
}

/// What is said of the pipeline asked for, or of all that are seen.
fn words(
    server: &mut Server,
    options: &Options,
    samples: &[Sample],
) -> Result<Vec<Words>, Failure> {
    let seen = || samples.iter().map(|sample| sample.file.pipeline.as_str());
    let pipelines: BTreeSet<&str> = match &options.pipeline {
        Some(name) => BTreeSet::from([name.as_str()]),
        None => seen().collect(),
    };
    pipelines
        .into_iter()
        .map(|name| server.words(name))
        .collect()
}

fn exit(judged: &[Judgement]) -> Exit {
    if judged.iter().any(|one| one.verdict == Verdict::Unreadable) {
        Exit::Impossible
    } else if judged.iter().any(|one| one.trouble) {
        Exit::Trouble
    } else {
        Exit::Fine
    }
}

fn table(judged: &[Judgement]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("VERDICT", Left),
        ("WHAT", Left),
        ("NAME", Left),
        ("SINCE", Right),
        ("EVIDENCE", Left),
    ]);
    let several = judged.iter().any(|one| one.pipeline != judged[0].pipeline);
    let mut told = String::new();
    for one in judged {
        let name = if several {
            format!("{}/{}", one.pipeline, one.name)
        } else {
            one.name.clone()
        };
        let since = one.since_s.filter(|_| one.trouble);
        table.row(vec![
            one.verdict.name().into(),
            one.subject.name().into(),
            name,
            since.map_or("-".into(), span),
            one.evidence.clone(),
        ]);
        // Once for a fault and what follows from it.
        if one.trouble && one.next != told {
            told.clone_from(&one.next);
            table.note(&format!("next: {}", one.next));
        }
    }
    table
}
