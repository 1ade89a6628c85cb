//! What a rule thinks of a ring or board.

use super::{Party, Verdict, role::Standing};

/// A verdict before it is one of somebody.
pub(super) struct Opinion {
    pub(super) verdict: Verdict,
    pub(super) trouble: bool,
    pub(super) culprit: Option<Party>,
    pub(super) evidence: String,
    pub(super) next: String,
    pub(super) since_ns: Option<u64>,
    pub(super) full_in_s: Option<f64>,
}

impl Opinion {
    pub(super) fn bad(
        verdict: Verdict,
        culprit: &Standing,
        evidence: String,
        next: impl Into<String>,
    ) -> Self {
        Self {
            verdict,
            trouble: true,
            culprit: culprit.party.clone(),
            evidence,
            next: next.into(),
            since_ns: None,
            full_in_s: None,
        }
    }

    pub(super) fn nobodys(verdict: Verdict, evidence: String, next: impl Into<String>) -> Self {
        Self {
            verdict,
            trouble: true,
            culprit: None,
            evidence,
            next: next.into(),
            since_ns: None,
            full_in_s: None,
        }
    }

    pub(super) fn fine(verdict: Verdict, evidence: String) -> Self {
        Self {
            trouble: false,
            ..Self::nobodys(verdict, evidence, "")
        }
    }

    pub(super) fn since(self, since_ns: Option<u64>) -> Self {
        Self { since_ns, ..self }
    }
}
