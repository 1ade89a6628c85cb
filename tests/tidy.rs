//! The rules of the house, as tests.

#![forbid(unsafe_code)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest function, lines.
const FUNCTION: usize = 70;
/// Longest source file, lines.
const FILE: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = ["ipc", "layouts", "processes", "benches", "tests"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 30, "the sources are found");
    found
}

fn violations(rule: impl Fn(&Path, &str) -> Vec<String>) -> Vec<String> {
    sources()
        .iter()
        .flat_map(|(path, text)| {
            rule(path, text)
                .into_iter()
                .map(|what| format!("{}: {what}", path.display()))
        })
        .collect()
}

#[test]
fn every_file_opens_with_what_it_is() {
    let found = violations(|_, text| {
        if text.starts_with("//! ") {
            vec![]
        } else {
            vec!["line 1 is no `//!`".into()]
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_lives_in_ipc_only() {
    let keyword = ["un", "safe "].concat();
    let found = violations(|path, text| {
        let inside = path.components().any(|part| part.as_os_str() == "ipc");
        let lines = text.lines().filter(|line| {
            line.trim_start().starts_with(&keyword) || line.contains(&format!(" {keyword}{{"))
        });
        if inside {
            vec![]
        } else {
            lines.map(str::to_owned).collect()
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_library_but_ipc_forbids_it() {
    for name in [
        "layouts",
        "processes/stages",
        "processes",
        "processes/calibration",
        "benches",
        "tests",
    ] {
        let text = fs::read_to_string(root().join(name).join("src/lib.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{name}");
    }
}

#[test]
fn functions_fit_on_a_screen() {
    let found = violations(|_, text| long_functions(text));
    assert!(found.is_empty(), "{found:#?}");
}

/// Functions whose closing brace is more than `FUNCTION` lines below their first, by rustfmt's indents.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        // A trait's method without a body ends on its line.
        let has_body = !line.ends_with(';');
        has_body
            && [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "async fn ",
                "pub async fn ",
            ]
            .iter()
            .any(|start| line.starts_with(start))
    });
    starts
        .filter_map(|(first, line)| {
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", " ".repeat(indent));
            let length = lines[first..].iter().position(|line| *line == close)? + 1;
            (length > FUNCTION).then(|| format!("{} has {length} lines", line.trim()))
        })
        .collect()
}

#[test]
fn files_stay_readable() {
    let found = violations(|_, text| match text.lines().count() {
        count @ FILE.. => vec![format!("{count} lines")],
        _ => vec![],
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_has_a_grab_bag_name() {
    let found = violations(|path, _| {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let grab_bag =
            ["util", "utils", "common", "helper", "helpers", "misc"].contains(&name.as_str());
        if grab_bag {
            vec!["what is the concept?".into()]
        } else {
            vec![]
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn ipc_stays_free_of_the_pipeline() {
    let manifest = fs::read_to_string(root().join("ipc/Cargo.toml")).unwrap();
    for name in ["tokio", "redis", "reqwest", "layouts", "processes", "serde"] {
        assert!(
            !manifest.lines().any(|line| line.starts_with(name)),
            "ipc depends on {name}"
        );
    }
}

#[test]
fn stages_read_no_clock_and_do_no_io() {
    let found = violations(|path, text| {
        let stage = path.components().any(|part| part.as_os_str() == "stages");
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        let forbidden = [
            "mono_ns()",
            "unix_ns()",
            "Instant::now",
            "SystemTime",
            "std::fs",
            "std::net",
            "tokio::",
            "rand::",
        ];
        let seen = forbidden.iter().filter(|word| body.contains(**word));
        if stage {
            seen.map(|word| format!("a stage uses {word}")).collect()
        } else {
            vec![]
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

/// What the earlier system got wrong: each has a test of its own (VENUE 8).
#[test]
fn every_lesson_has_its_test() {
    let sources = sources();
    let is_tested = |lesson: u8| {
        let start = format!("fn lesson_{lesson}_");
        sources.iter().any(|(_, text)| text.contains(&start))
    };
    let missing: Vec<u8> = (1..=14).filter(|lesson| !is_tested(*lesson)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
