//! The rules of the house, as tests.

use std::{
    collections::BTreeSet,
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

/// Lints hold wherever in a package the code is, in programs and tests too; only one may have unsafe code.
#[test]
fn every_package_but_ipc_has_the_lints_of_the_workspace() {
    let workspace = manifest(".");
    let members = workspace.lines().find(|line| line.starts_with("members"));
    let members: Vec<&str> = members.unwrap().split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 9, "{members:?}");
    for name in members.into_iter().filter(|name| *name != "ipc") {
        let ours = lints(&manifest(name), "[lints");
        assert_eq!(ours, ["[lints]", "workspace = true"], "{name}");
    }
    let mut all = lints(&workspace, "[workspace.lints");
    let count = all.len();
    all.retain(|line| line != "unsafe_code = \"forbid\"");
    assert_eq!(all.len(), count - 1, "{all:?}");
    let all = all.iter().map(|line| line.replace("[workspace.", "["));
    assert_eq!(lints(&manifest("ipc"), "[lints"), all.collect::<Vec<_>>());
}

fn manifest(package: &str) -> String {
    fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap()
}

/// The lines of the tables whose heads begin so.
fn lints(manifest: &str, head: &str) -> Vec<String> {
    let mut inside = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            inside = line.starts_with(head);
        }
        inside && !line.is_empty() && !line.starts_with('#')
    });
    lines.map(str::to_owned).collect()
}

/// The table of ARCHITECTURE.md: for each package of ours and each module of `processes` whom it may use.
#[test]
fn parts_depend_on_what_the_architecture_lets_them() {
    const PACKAGES: [&str; 4] = ["ipc", "layouts", "stages", "pipeline"];
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let (path, may_use) = (quoted(cells[0]), quoted(cells[cells.len() - 1]));
        let path = path[0].trim_end_matches('/');
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
        let used: Vec<String> = if path.starts_with("processes/src/") {
            let text = code_of(&root().join(path));
            let packages = PACKAGES.iter().filter(|name| names(&text, name));
            let packages = packages.map(|name| (*name).to_owned());
            packages.chain(used_modules(&text)).collect()
        } else if root().join(path).join("src/lib.rs").is_file() && path != "tests" {
            let manifest = manifest(path);
            let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
            let dependencies = dependencies
                .lines()
                .take_while(|line| !line.starts_with('['));
            let dependencies = dependencies.filter_map(|line| line.split(['.', ' ']).next());
            let ours = dependencies.filter(|name| PACKAGES.contains(name) || *name == "processes");
            ours.map(str::to_owned).collect()
        } else {
            continue;
        };
        let beyond = used
            .iter()
            .filter(|used| *used != name && !may_use.contains(used));
        found.extend(beyond.map(|used| format!("`{path}` uses `{used}`")));
        seen.push(name.to_owned());
    }
    assert!(found.is_empty(), "{found:#?}");
    for line in code_of(&root().join("processes/src/lib.rs")).lines() {
        let module = line
            .strip_prefix("pub mod ")
            .map(|name| name.trim_end_matches(';'));
        assert!(
            module.is_none_or(|name| seen.iter().any(|seen| seen == name)),
            "{line} has no row"
        );
    }
}

fn quoted(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The source at a path, or all below it, without lines that are comments and without tests, which may use anything.
fn code_of(path: &Path) -> String {
    let sources = sources();
    let is_test = |source: &Path| {
        let below = source.strip_prefix(path).unwrap_or(source);
        let mut parts = below.iter().map(Path::new);
        parts.any(|part| part.file_stem().is_some_and(|stem| stem == "tests"))
    };
    let below = sources
        .iter()
        .filter(|(source, _)| source.starts_with(path) && !is_test(source));
    let lines = below.flat_map(|(_, text)| text.lines());
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Whether code has a path that begins with this package.
fn names(code: &str, package: &str) -> bool {
    let path = format!("{package}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|letter| !letter.is_alphanumeric() && !"_:".contains(letter))
    })
}

/// What code names right behind `crate::`, be it one name or several in braces.
fn used_modules(code: &str) -> BTreeSet<String> {
    let first_name = |text: &str| -> String {
        let letters = text.trim_start().chars();
        letters
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            used.insert(first_name(rest));
            continue;
        };
        let (mut depth, mut outer) = (0, String::new());
        for letter in list.chars() {
            match letter {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                _ if depth == 0 => outer.push(letter),
                _ => {}
            }
        }
        used.extend(outer.split(',').map(first_name));
    }
    used.remove("");
    used
}

#[test]
fn both_forms_of_an_import_are_read() {
    let code = "use crate::cold::{redis, sim::Not};\nuse crate::{\n    runtime::{A, launch},\n    venue,\n};\n";
    let used: Vec<String> = used_modules(code).into_iter().collect();
    assert_eq!(used, ["cold", "runtime", "venue"]);
    assert!(names("use ipc::Observer;", "ipc") && !names("use crate::ipc::A; my_ipc::b()", "ipc"));
}

/// OPERATING.md says of every limit where the test is that trips it.
#[test]
fn limits_have_their_tests_where_the_manual_says() {
    let text = fs::read_to_string(root().join("OPERATING.md")).unwrap();
    let (_, table) = text.split_once("| NAME |").expect("the table of limits");
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let name = &quoted(row)[0];
        let file = &quoted(row.trim_matches('|').rsplit('|').next().unwrap())[0];
        let text = fs::read_to_string(root().join("processes").join(file)).unwrap();
        for ends in ["trips", "lets_pass"] {
            let test = format!("fn limit_{name}_{ends}()");
            assert!(text.contains(&test), "{file} has no `{test}`");
        }
    }
}

#[test]
fn functions_fit_on_a_screen() {
    let found = violations(|_, text| long_functions(text));
    assert!(found.is_empty(), "{found:#?}");
}

/// Whether a line begins a function, with whatever words before `fn`.
fn opens_function(line: &str) -> bool {
    let Some((words, _)) = line.trim_start().split_once("fn ") else {
        return false;
    };
    let words = match words.strip_prefix("pub(") {
        Some(scope) => scope.split_once(')').map_or(scope, |(_, words)| words),
        None => words,
    };
    let known = ["pub", "const", "async", "unsafe", "extern", "\"C\""];
    words.split_whitespace().all(|word| known.contains(&word))
}

#[test]
fn a_function_is_seen_whatever_stands_before_it() {
    for line in [
        "fn a() {",
        "    pub const fn a() {",
        "pub(in crate::a) async fn a(",
        "pub(super) const unsafe extern \"C\" fn a<'b>(",
    ] {
        assert!(opens_function(line), "{line}");
        let long = format!(
            "{line}\n{}{}}}\n",
            "\n".repeat(FUNCTION),
            " ".repeat(line.len() - line.trim_start().len())
        );
        assert_eq!(long_functions(&long).len(), 1, "{line}");
    }
    for line in ["// a fn in words", "let a: fn () = b;", "impl Fn for A {"] {
        assert!(!opens_function(line), "{line}");
    }
}

/// Functions whose closing brace is more than `FUNCTION` lines below their first, by rustfmt's indents.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate();
    // A trait's method without a body ends on its line.
    let starts = starts.filter(|(_, line)| opens_function(line) && !line.ends_with(';'));
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
