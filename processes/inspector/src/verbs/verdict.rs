//! `verdict`: what is wrong, by whom, and what to do about it.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    judge::{Bounds, Judgement, Subject, Verdict, judge},
    sample::Sources,
    say, say_json,
    table::{Align, Table, span},
};
use std::{thread, time::Duration};

pub(crate) const HELP: &str = "\
Example: somebody has stopped execution_service with SIGSTOP.

  $ shm-inspect verdict
  VERDICT  WHAT     NAME                SINCE  EVIDENCE
  stuck    ring     orders             1.13 s  execution_service (pid 4883) holds 8 of 1024 messages (the first for 1.13 s), and took none in 1 s
    next: see what execution_service does (`grep State /proc/4883/status`, ...): continue it if it is stopped ...
  stuck    process  execution_service  1.13 s  orders: execution_service (pid 4883) holds 8 of 1024 messages ...
  stale    ring     fills              1.27 s  execution_service (pid 4883) holds its role, but has neither sent nor beaten for 1.27 s
  ok       ring     prices.0                -  223/s, 0 of 4096 messages
  ok       process  game_shard.0            -  reads games.0, prices.0; writes signals.0

Verdicts, the worst first; `ok`, `idle` and `closed` are no trouble unless something waits:
  corrupt     no sound header, or counters that contradict each other
  unreadable  the system does not let us look
  misplaced   each side is alone on a file of its own: give both directories, --rings A --rings B; or a full ring that never had a consumer
  dead        a role is empty, and its last holder has not said goodbye
  stuck       attached, messages wait, and the position does not move
  full        the producer finds no room, although the consumer works
  stale       attached, nothing waits, and nothing was heard for --stale seconds
  slow        it will be full within --soon seconds, or it loses messages; by whom
  blocked     its process waits for room in another ring, which has a verdict of its own
  missing     a role that nobody has taken yet
  closed      a role is empty after a goodbye
  idle        nothing to do
  ok          messages flow

A process has the worst verdict of the rings whose trouble is its doing. PIDs are those of its own PID namespace.

Exit codes: 0 no trouble; 1 trouble; 2 no rings, or some that cannot be looked at.";

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
}

/// Looks twice, and judges.
///
/// # Errors
///
/// When a directory cannot be read, or there is nothing to judge.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let mut sources = Sources::open(&arguments.place.rings)?;
    let before = sources.read();
    thread::sleep(options.interval);
    sources.refresh()?;
    let after = sources.read();
    if after.is_empty() {
        return Err(Failure::Other(
            "there are no rings: no pipeline runs (fix: name the directory of its rings with --rings)".into(),
        ));
    }
    let bounds = Bounds {
        stale: options.stale,
        soon: options.soon,
    };
    let judged = judge(&before, &after, &bounds);
    if arguments.json {
        say_json(&judged)?;
    } else {
        say(&table(&judged).text())?;
    }
    Ok(exit(&judged))
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
        let what = match one.subject {
            Subject::Ring => "ring",
            Subject::Board => "board",
            Subject::Process => "process",
        };
        let name = if several {
            format!("{}/{}", one.pipeline, one.name)
        } else {
            one.name.clone()
        };
        let since = one.since_s.filter(|_| one.trouble);
        table.row(vec![
            one.verdict.name().into(),
            what.into(),
            name,
            since.map_or("-".into(), span),
            one.evidence.clone(),
        ]);
        // Once for a ring and the process whose doing it is.
        if one.trouble && one.next != told {
            told.clone_from(&one.next);
            table.note(&format!("next: {}", one.next));
        }
    }
    table
}
