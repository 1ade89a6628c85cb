//! `orderings`: weakens each memory ordering and removes each fence of `ipc` in turn, and shows which
//! model then fails. A weakening that no model notices is an unproven claim: it must be explained
//! here, or the run fails.

use clap::Parser;
use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};
use tests::mutants::{Mutant, mutants};

/// Sources that hold the protocol's orderings.
const SOURCES: [&str; 9] = [
    "slot.rs",
    "writer.rs",
    "reader.rs",
    "pages.rs",
    "wait.rs",
    "barrier.rs",
    "memory.rs",
    "watch.rs",
    "listener.rs",
];

/// Weakenings that no model can notice, by a piece of their line or of the comment above it, and why.
const EXPLAINED: [(&str, &str); 12] = [
    (
        "word.load(Acquire);",
        "keeps the epoch's store behind it: load buffering, which loom, running in program order, cannot show",
    ),
    (
        "a waker that sees the epoch changes the word after it",
        "the same: load buffering",
    ),
    (
        "A2 pairs with R2 in `commit`",
        "keeps the producer's overwriting behind the consumer's reading: load buffering, which loom, running in program order, cannot show",
    ),
    (
        "self.committed.store(2 * to.position + which, Release)",
        "the other half of the same: load buffering",
    ),
    (
        "compiler_fence(SeqCst)",
        "not in a model: what membarrier makes of it, a full fence, is",
    ),
    (
        "Self::Fence => fence(SeqCst)",
        "only where membarrier is refused; the same fence as the model's stand-in, on the same line of the protocol",
    ),
    (
        "self.incarnation.store(incarnation, Release)",
        "read together with the kernel's lock, which orders it",
    ),
    (
        "keeps the question for the role behind",
        "keeps the question for the kernel's lock behind it: a model has no kernel to ask",
    ),
    (
        "self.closed.store(self.incarnation.load(Relaxed), Release)",
        "a model has no goodbye: readers ask the kernel's lock first, which orders it",
    ),
    ("Pairs with the Release store in `end`", "as its store"),
    (
        "Pairs with the Release in `wake_shared` and in News::tell",
        "a model has no thread that sleeps for tasks",
    ),
    (
        "word.fetch_add(1, Release)",
        "a futex promises to compare the word, not to order: what was published is looked at anew after waking",
    ),
];

/// Weakens each ordering and removes each fence of ipc in turn; some model must then fail.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  scripts/test orderings\n  scripts/test orderings --only slot.rs\n\nExit code 1 when a weakening is neither caught nor explained."
)]
struct Arguments {
    /// Root of the repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Only weakenings whose place contains this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let scratch = Scratch::of(&arguments.root)?;
    eprintln!("building the models once, unchanged");
    if let Some(failed) = scratch.failing_model()? {
        return Err(format!("model {failed} fails on the unchanged source").into());
    }
    println!("{:<14} {:<34} RESULT", "PLACE", "WEAKENED");
    let mut unexplained = 0;
    for source in SOURCES {
        let path = scratch.sources.join(source);
        let text = fs::read_to_string(&path)?;
        for mutant in mutants(&text) {
            let place = format!("{source}:{}", mutant.line);
            if !place.contains(&arguments.only) {
                continue;
            }
            let started = Instant::now();
            fs::write(&path, &mutant.text)?;
            let caught = scratch.failing_model();
            fs::write(&path, &text)?;
            let verdict = verdict(caught?, &mutant);
            unexplained += usize::from(verdict.starts_with("SURVIVED"));
            println!(
                "{place:<14} {:<34} {verdict}  ({} s)",
                mutant.change,
                started.elapsed().as_secs()
            );
        }
    }
    println!("{unexplained} weakenings neither caught nor explained");
    Ok(unexplained == 0)
}

fn verdict(caught: Option<String>, mutant: &Mutant) -> String {
    if let Some(model) = caught {
        return format!("caught by {model}");
    }
    match EXPLAINED
        .iter()
        .find(|(piece, _)| mutant.original.contains(piece))
    {
        Some((_, reason)) => format!("explained: {reason}"),
        None => format!("SURVIVED: `{}`", mutant.original.replace('\n', " ")),
    }
}

/// A copy of `ipc` to be mutilated.
struct Scratch {
    root: PathBuf,
    sources: PathBuf,
    target: PathBuf,
}

impl Scratch {
    fn of(repository: &Path) -> Result<Self, Box<dyn Error>> {
        let repository = repository.canonicalize()?;
        let root = repository.join("target/orderings");
        let sources = root.join("ipc/src");
        copy_folder(&repository.join("ipc"), &root.join("ipc"))?;
        fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock"))?;
        let manifest = fs::read_to_string(repository.join("Cargo.toml"))?;
        let all = r#"members = ["ipc", "layouts", "processes", "benches", "tests"]"#;
        if !manifest.contains(all) {
            return Err(
                "the workspace's members are not as expected; change `orderings` with them".into(),
            );
        }
        fs::write(
            root.join("Cargo.toml"),
            manifest.replace(all, r#"members = ["ipc"]"#),
        )?;
        Ok(Self {
            sources,
            // Not that of `scripts/test models`: Cargo would take a mutant's build for that of the source.
            target: root.join("target"),
            root,
        })
    }

    /// The first model that fails, or `None` when all pass. A model that does not end is one that fails:
    /// somebody sleeps for ever.
    fn failing_model(&self) -> Result<Option<String>, Box<dyn Error>> {
        let output = Command::new("cargo")
            .args([
                "test",
                "--quiet",
                "--release",
                "--package",
                "ipc",
                "--lib",
                "models",
                "--",
                "--test-threads=2",
            ])
            .current_dir(&self.root)
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUST_BACKTRACE", "0")
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Ok(None);
        }
        let failed = text.lines().find_map(|line| {
            line.strip_prefix("---- models::")?
                .strip_suffix(" stdout ----")
        });
        match failed {
            Some(model) => Ok(Some(model.to_owned())),
            None => Err(format!("the models do not build:\n{text}").into()),
        }
    }
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
