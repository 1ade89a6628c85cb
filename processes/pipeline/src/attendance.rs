//! Who is attached to which file: the words of processes in Redis, and what follows from two of them.
//!
//! A ring whose ends are in different containers is one ring only where both mount the same directory. Where they do not, each
//! end finds a sound file of the right name, takes its role, and waits for ever: nothing in either file is wrong. So each process
//! says which instance of every ring it has, and whoever reads what all of them say can tell.

use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, time::Duration};

/// The hash of a pipeline, after the prefix of its keys.
pub const KEY: &str = "attached";
/// A word older than this may be that of a process that is gone: nothing follows from it.
const FRESH: Duration = Duration::from_secs(6);

/// The hash of a pipeline with its prefix, as the server knows it.
#[must_use]
pub fn key(pipeline: &str) -> String {
    format!("arbees:{pipeline}:{KEY}")
}

/// What a process says of one of its ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Name of the process in the pipeline file.
    pub process: String,
    /// Identity of the file's content, 16 hex digits.
    pub instance: String,
    /// Where the file is, as the process sees it.
    pub directory: PathBuf,
    /// Name of its host; in a container that of the container.
    pub host: String,
    /// Its mount namespace, such as `mnt:[4026531841]`: containers have different ones.
    pub mounts: String,
    /// When it was said, ms since the Unix epoch.
    pub unix_ms: i64,
}

/// An end of a ring or board, with what its process says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The ring's name; a board's with `.board` after it.
    pub ring: String,
    /// `producer`, `consumer`, `writer`, or `reader.<process>` of a board, which may have several.
    pub role: String,
    /// The word.
    pub word: Word,
}

/// Two ends of one ring that are not attached to the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced<'a> {
    /// An end.
    pub one: &'a End,
    /// An end of the same ring in another file.
    pub other: &'a End,
}

impl End {
    /// The field of the hash in which its word stands.
    #[must_use]
    pub fn field(&self) -> String {
        format!("{}:{}", self.ring, self.role)
    }

    /// An end as it stands in the hash; `None` where the field is not called like one.
    #[must_use]
    pub fn read(field: &str, word: Word) -> Option<Self> {
        let (ring, role) = field.split_once(':')?;
        Some(Self {
            ring: ring.to_owned(),
            role: role.to_owned(),
            word,
        })
    }

    /// What this end and another have of one ring, if these are two files. Nothing follows from two words of one role, of
    /// which one is a predecessor's, or from one that is not fresh: a process that is gone says nothing more.
    #[must_use]
    pub fn contradicts<'a>(&'a self, other: &'a Self, now_unix_ms: i64) -> Option<Misplaced<'a>> {
        let fresh =
            |end: &Self| u128::from(now_unix_ms.abs_diff(end.word.unix_ms)) <= FRESH.as_millis();
        let differ = self.ring == other.ring
            && self.role != other.role
            && self.word.instance != other.word.instance;
        (differ && fresh(self) && fresh(other)).then_some(Misplaced { one: self, other })
    }
}

/// On one line: role, process, instance, and where it is.
impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A board's reader is named by its process already.
        let role = self.role.split('.').next().unwrap_or(&self.role);
        let word = &self.word;
        write!(
            formatter,
            "{role} `{}` has instance {} in `{}` (host {}, {})",
            word.process,
            word.instance,
            word.directory.display(),
            word.host,
            word.mounts
        )
    }
}

impl Misplaced<'_> {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        let (one, other) = (&self.one.word, &self.other.word);
        if one.mounts != other.mounts {
            "give both the same mount there (in compose.yaml the volume `rings`), and start again whoever had another"
        } else if one.directory == other.directory {
            "the rings were laid out anew while one of them ran: stop the pipeline and start it again"
        } else {
            "start both with the same pipeline file"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn end(role: &str, instance: &str, directory: &str, mounts: &str) -> End {
        let word = Word {
            process: format!("the_{role}"),
            instance: instance.into(),
            directory: directory.into(),
            host: "here".into(),
            mounts: mounts.into(),
            unix_ms: NOW,
        };
        End::read(&format!("orders:{role}"), word).unwrap()
    }

    #[test]
    fn two_files_of_one_ring_contradict_each_other_and_the_fix_says_why_there_are_two() {
        let ours = end("consumer", "0a", "/rings/demo", "mnt:[1]");
        let fix = |theirs: &End| ours.contradicts(theirs, NOW).unwrap().fix();
        let theirs = |directory: &str, mounts: &str| end("producer", "0b", directory, mounts);
        assert!(fix(&theirs("/rings/demo", "mnt:[2]")).contains("the same mount"));
        assert!(fix(&theirs("/rings/demo", "mnt:[1]")).contains("laid out anew"));
        assert!(fix(&theirs("/elsewhere", "mnt:[1]")).contains("pipeline file"));
        assert_eq!(
            ours.to_string(),
            "consumer `the_consumer` has instance 0a in `/rings/demo` (host here, mnt:[1])"
        );
    }

    #[test]
    fn one_file_wherever_it_is_mounted_and_the_words_of_the_dead_contradict_nobody() {
        let ours = end("consumer", "0a", "/rings/demo", "mnt:[1]");
        let same = end("producer", "0a", "/elsewhere", "mnt:[2]");
        assert_eq!(ours.contradicts(&same, NOW), None);
        let predecessor = end("consumer", "0b", "/rings/demo", "mnt:[2]");
        assert_eq!(ours.contradicts(&predecessor, NOW), None);
        let mut other = end("producer", "0b", "/rings/demo", "mnt:[2]");
        assert!(ours.contradicts(&other, NOW).is_some());
        other.word.unix_ms -= 7_000;
        assert_eq!(ours.contradicts(&other, NOW), None);
        assert_eq!(End::read("orders", ours.word.clone()), None);
    }
}
