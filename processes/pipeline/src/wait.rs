//! The word by which a pipeline file says how hot loops wait.

use serde::{Deserialize, Serialize};

/// How hot loops wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Spin when there is a core for every hot process, sleep otherwise.
    #[default]
    Auto,
    /// Never leave the core.
    Spin,
    /// Spin in turns: between two looks the core goes to whoever else wants it.
    Yield,
    /// Spin briefly, then sleep in the kernel until woken.
    Sleep,
}

impl std::str::FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "spin" => Ok(Self::Spin),
            "yield" => Ok(Self::Yield),
            "sleep" => Ok(Self::Sleep),
            _ => Err("one of auto, spin, yield, sleep is expected".into()),
        }
    }
}
