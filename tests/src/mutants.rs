//! Weakened copies of a source: each memory ordering made `Relaxed`, each fence removed, one at a time.

/// A source with one ordering weakened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Line of the change, from 1.
    pub line: usize,
    /// The line as it was, behind the comment above it.
    pub original: String,
    /// What was changed, in words.
    pub change: String,
    /// The whole source, changed.
    pub text: String,
}

/// Every weakening of a source, tests and comments left alone.
#[must_use]
pub fn mutants(text: &str) -> Vec<Mutant> {
    let lines: Vec<&str> = text.lines().collect();
    let code = lines
        .iter()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate();
    code.flat_map(|(index, line)| {
        weakenings(line)
            .into_iter()
            .map(move |(change, weak)| (index, change, weak))
    })
    .map(|(index, change, weak)| {
        let mut changed: Vec<&str> = lines.clone();
        changed[index] = &weak;
        Mutant {
            line: index + 1,
            original: with_comment(&lines, index),
            change,
            text: changed.join("\n") + "\n",
        }
    })
    .collect()
}

/// A line with the comment directly above it, each line trimmed.
fn with_comment(lines: &[&str], index: usize) -> String {
    let comment = lines[..index]
        .iter()
        .rev()
        .take_while(|line| line.trim_start().starts_with("//"))
        .count();
    let lines = lines[index - comment..=index]
        .iter()
        .map(|line| line.trim());
    lines.collect::<Vec<_>>().join("\n")
}

/// The weakened versions of one line.
fn weakenings(line: &str) -> Vec<(String, String)> {
    let code = line.trim_start();
    if code.starts_with("//")
        || code.starts_with("use ")
        || code.starts_with("Ordering::")
        || code.starts_with("sync::atomic")
        || code.starts_with("atomic::")
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for ordering in ["Acquire", "Release", "SeqCst"] {
        let fence = format!("fence({ordering})");
        if line.contains(&fence) {
            // A fence cannot be relaxed, only removed; `()` keeps the line an expression.
            found.push((
                format!("{fence} removed"),
                line.replace(&fence, "()").replace("compiler_()", "()"),
            ));
            continue;
        }
        for (strong, weak) in [
            (format!("load({ordering})"), "load(Relaxed)".to_owned()),
            (format!(", {ordering})"), ", Relaxed)".to_owned()),
        ] {
            if line.contains(&strong) {
                found.push((
                    format!(
                        "{} -> Relaxed",
                        strong.trim_start_matches(", ").trim_end_matches(')')
                    ),
                    line.replacen(&strong, &weak, 1),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ordering_is_weakened_once_and_alone() {
        let text = "use x::Release;\n// store(1, Release)\nword.store(1, Release);\nfence(Acquire);\nlet a = word.load(Acquire) / 2;\nword.load(Relaxed);\n";
        let found = mutants(text);
        let changes: Vec<(usize, &str)> = found
            .iter()
            .map(|mutant| {
                (
                    mutant.line,
                    mutant.text.lines().nth(mutant.line - 1).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found[0].original,
            "// store(1, Release)\nword.store(1, Release);"
        );
        assert_eq!(found[1].original, "fence(Acquire);");
        assert_eq!(
            changes,
            [
                (3, "word.store(1, Relaxed);"),
                (4, "();"),
                (5, "let a = word.load(Relaxed) / 2;")
            ]
        );
        assert!(found.iter().all(|mutant| {
            mutant
                .text
                .lines()
                .zip(text.lines())
                .filter(|(new, old)| new != old)
                .count()
                == 1
        }));
    }
}
