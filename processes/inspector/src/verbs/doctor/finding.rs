//! What one check found.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The pipeline will not start, or not do what its file says.
    Trouble,
    /// It works, and could be faster or steadier.
    Advice,
    /// As it should be.
    Ok,
}

impl Severity {
    /// As in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Advice => "advice",
            Self::Ok => "ok",
        }
    }
}

/// What one check found, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The check: a fixed word, for scripts.
    pub(super) check: &'static str,
    pub(super) severity: Severity,
    /// What there is.
    pub(super) found: String,
    /// What there should be.
    pub(super) wanted: String,
    /// What it means for the pipeline; `None` where all is well.
    pub(super) consequence: Option<String>,
    /// What changes it, to be typed as it is, mostly by root.
    pub(super) command: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(
        check: &'static str,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            check,
            severity: Severity::Ok,
            found: found.into(),
            wanted: wanted.into(),
            consequence: None,
            command: None,
        }
    }

    /// The host says nothing of it: no reason for alarm, and none to call it well.
    pub(super) fn untold(check: &'static str, wanted: impl Into<String>) -> Self {
        Self::ok(check, "not told by this host", wanted)
    }

    /// It works, and could be better.
    pub(super) fn advise(self, consequence: impl Into<String>, command: impl Into<String>) -> Self {
        self.worse(Severity::Advice, consequence, command)
    }

    /// It does not work.
    pub(super) fn trouble(
        self,
        consequence: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        self.worse(Severity::Trouble, consequence, command)
    }

    fn worse(
        self,
        severity: Severity,
        consequence: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            consequence: Some(consequence.into()),
            command: Some(command.into()),
            ..self
        }
    }
}

/// Bytes for people: whole units where they are whole, one decimal elsewhere.
pub(super) fn bytes(count: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if count < unit * 1024 || name == "TiB" {
            let tenths = (u128::from(count) * 10).div_ceil(u128::from(unit));
            return match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                rest => format!("{}.{rest} {name}", tenths / 10),
            };
        }
        unit *= 1024;
    }
    unreachable!("the last unit takes all")
}

/// `1 ring`, `2 rings`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
