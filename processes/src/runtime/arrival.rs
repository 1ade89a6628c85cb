//! Waiting for what a process needs before it can join its pipeline: the pipeline file, its rings, and the addresses of a
//! simulated venue.
//!
//! The launcher has all of it ready before it starts anybody, so what is missing then is an error at once. Who is started by
//! somebody else, as in a container, may be early: then it waits, and says for what.

use super::{Failure, context::LAUNCHER_VARIABLE};
use pipeline::{FileError, Pipeline};
use serde_json::Value;
use std::{
    fs,
    io::ErrorKind,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long the rest of the pipeline may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Waiting for so long is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(1);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Something that is not there yet, in words, with where it should be and why it may be missing.
type Missing = String;

/// The pipeline file of process `name`, once everything that the process needs is there.
///
/// # Errors
///
/// When the file is unusable, when something is still missing after a minute, and when `stop` is set meanwhile.
pub(crate) fn await_pipeline(
    file: &Path,
    name: &str,
    stop: &AtomicBool,
) -> Result<Pipeline, Failure> {
    if std::env::var_os(LAUNCHER_VARIABLE).is_some() {
        return Ok(Pipeline::load(file)?);
    }
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        let missing = match look(file, name)? {
            Ok(pipeline) => return Ok(pipeline),
            Err(missing) => missing,
        };
        if stop.load(Relaxed) {
            return Err(Failure::Other(format!(
                "asked to stop while it waited: {missing}"
            )));
        }
        if begun.elapsed() >= PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(Failure::Other(format!(
                "waited {seconds} s in vain: {missing}"
            )));
        }
        if begun.elapsed() >= WORTH_A_WORD && said != missing {
            tracing::warn!("waiting: {missing}");
            said = missing;
        }
        std::thread::sleep(LOOK);
    }
}

/// Looks once. The file is read again after the rings were seen: whoever lays out a pipeline anew removes the old file before
/// it makes the rings and writes the new one after, so this one belongs to them.
fn look(file: &Path, name: &str) -> Result<Result<Pipeline, Missing>, Failure> {
    let Some(early) = load(file)? else {
        return Ok(Err(no_file(file)));
    };
    if let Some(missing) = missing_segment(&early, name) {
        return Ok(Err(missing));
    }
    let Some(mut pipeline) = load(file)? else {
        return Ok(Err(no_file(file)));
    };
    if early.run_id != pipeline.run_id {
        return Ok(Err("the pipeline is being laid out anew".into()));
    }
    let needs_addresses = pipeline.simulator.is_some() && pipeline.venue.rest.is_empty();
    if needs_addresses && name != "simulator" {
        let path = pipeline.run_dir.join("simulator.ready");
        let ready = fs::read_to_string(&path).ok();
        let Some(ready) = ready.and_then(|text| serde_json::from_str(&text).ok()) else {
            return Ok(Err(format!(
                "the simulator has not told its addresses in `{}`\n  fix: start it; if it is ready, this process has another run directory",
                path.display()
            )));
        };
        take_addresses(&mut pipeline, &ready)?;
    }
    Ok(Ok(pipeline))
}

fn load(file: &Path) -> Result<Option<Pipeline>, Failure> {
    match Pipeline::load(file) {
        Err(FileError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Ok(None)
        }
        loaded => Ok(Some(loaded?)),
    }
}

fn no_file(file: &Path) -> Missing {
    let directory = file.parent().unwrap_or(Path::new("."));
    let why = if directory.is_dir() {
        "`launch prepare` writes it there"
    } else {
        "its directory is not there either: in a container, the mount of the run directory is missing"
    };
    format!(
        "there is no pipeline file `{}`\n  fix: {why}",
        file.display()
    )
}

/// The first ring or board that process `name` needs and does not see.
fn missing_segment(pipeline: &Pipeline, name: &str) -> Option<Missing> {
    let ours = |link: &&pipeline::Link| link.from == name || link.to == name;
    let mut rings = pipeline.links.iter().filter(ours).peekable();
    // Who has no ring needs no ring directory.
    rings.peek()?;
    let rings = rings.map(|link| pipeline.ring_path(&link.name));
    let boards = pipeline.boards.iter();
    let boards = boards.map(|board| pipeline.board_path(&board.name));
    let path = rings.chain(boards).find(|path| !path.exists())?;
    let directory = pipeline.ring_dir();
    let what = if directory.is_dir() {
        format!("`{}` is not there", path.display())
    } else {
        format!("the ring directory `{}` is not there", directory.display())
    };
    Some(format!(
        "{what}\n  fix: lay it out with `launch prepare`; if that is done, the mount of `{}` is missing in this container, or is another directory than the one laid out",
        pipeline.rings.display()
    ))
}

/// Takes over the addresses that a simulator has bound, from its ready file.
///
/// # Errors
///
/// When the file names not all of them.
pub(crate) fn take_addresses(pipeline: &mut Pipeline, ready: &Value) -> Result<(), Failure> {
    let field = |name: &str| {
        let value = ready.get(name).and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| {
            Failure::other(format!(
                "the simulator's ready file names no `{name}`: {ready}"
            ))
        })
    };
    pipeline.venue.rest = field("rest")?;
    pipeline.venue.websocket = field("websocket")?;
    pipeline.feed.url = field("feed")?;
    pipeline.ca_file = field("ca_file")?.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each thing that may be missing is named in its turn, with its place; then the pipeline is there.
    #[test]
    fn what_is_missing_is_named_one_after_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&shipped).unwrap();
        pipeline.rings = directory.path().join("rings");
        pipeline.run_dir = directory.path().join("run");
        let file = pipeline.run_dir.join("pipeline.toml");
        let missing = |part: &str| {
            let missing = look(&file, "game_shard.0").unwrap().unwrap_err();
            assert!(missing.contains(part), "{part} is missing in:\n{missing}");
        };
        missing("the mount of the run directory is missing");
        fs::create_dir(&pipeline.run_dir).unwrap();
        missing("`launch prepare` writes it");
        fs::write(&file, toml::to_string(&pipeline).unwrap()).unwrap();
        missing(&format!(
            "the ring directory `{}` is not there",
            pipeline.ring_dir().display()
        ));
        missing(&format!(
            "the mount of `{}` is missing",
            pipeline.rings.display()
        ));
        fs::create_dir_all(pipeline.ring_dir()).unwrap();
        missing("prices.0.ring` is not there");
        for link in &pipeline.links {
            fs::write(pipeline.ring_path(&link.name), "").unwrap();
        }
        missing("prices.board` is not there");
        fs::write(pipeline.board_path("prices"), "").unwrap();
        missing("simulator.ready`");
        let ready = r#"{"rest":"http://r","websocket":"ws://w","feed":"http://f","ca_file":""}"#;
        fs::write(pipeline.run_dir.join("simulator.ready"), ready).unwrap();
        let found = look(&file, "game_shard.0").unwrap().unwrap();
        assert_eq!(found.venue.rest, "http://r");
        assert_eq!(found.venue.websocket, "ws://w");
        assert_eq!(found.feed.url, "http://f");
        // The simulator itself needs neither rings nor its own addresses.
        fs::remove_dir_all(&pipeline.rings).unwrap();
        assert!(look(&file, "simulator").unwrap().is_ok());
    }

    #[test]
    fn who_is_asked_to_stop_waits_no_longer() {
        let stop = AtomicBool::new(true);
        let failure = await_pipeline(Path::new("/nowhere/pipeline.toml"), "simulator", &stop);
        let text = failure.unwrap_err().to_string();
        assert!(text.contains("/nowhere/pipeline.toml"), "{text}");
    }
}
