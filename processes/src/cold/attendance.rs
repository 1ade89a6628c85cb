//! Who is attached to which file, told in Redis: so two ends of a ring that each have a file of their own find out.
//!
//! A ring whose ends are in different containers is one ring only where both mount the same directory. Where they do not, each
//! end finds a sound file of the right name, takes its role, and waits for ever: nothing in either file is wrong. So each process
//! says which instance of every ring it has, in the hash `arbees:<pipeline>:attached`, field `<ring>:<role>`, at each attach and
//! then every two seconds, and looks at what the others say.

use super::redis::Cold;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// The hash.
pub const KEY: &str = "attached";
/// Time between two words of a process on what it has.
const PERIOD: Duration = Duration::from_secs(2);
/// A word older than this may be that of a process that is gone: nothing follows from it.
const FRESH: Duration = Duration::from_secs(6);
/// The hash vanishes so long after the last word in it.
const TTL: Duration = Duration::from_secs(60);

/// An end of a ring or board that this process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The ring's name; a board's with `.board` after it.
    pub ring: String,
    /// `producer`, `consumer`, `writer`, or `reader.<process>` of a board, which may have several.
    pub role: String,
    /// Identity of the file's content, from its header.
    pub instance: u64,
    /// Where the file is, as this process sees it.
    pub directory: PathBuf,
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

/// Where this process is.
struct Place {
    process: String,
    host: String,
    mounts: String,
}

/// Says for a process what it has and looks at what the others have, until the sender of `attached` is dropped. What is
/// misplaced is logged as an error when it is seen first, and once more when it is over.
pub async fn keep(cold: Cold, process: String, mut attached: watch::Receiver<Vec<Attachment>>) {
    let place = Place::of(process);
    let mut due = interval(PERIOD);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = BTreeSet::new();
    loop {
        tokio::select! {
            _ = due.tick() => {}
            changed = attached.changed() => if changed.is_err() { return },
        }
        let ours = attached.borrow_and_update().clone();
        let now = jiff::Timestamp::now().as_millisecond();
        if let Some(all) = exchange(&cold, &place, &ours, now).await {
            let found = misplaced(&place, &ours, &all, now);
            for text in found.difference(&said) {
                tracing::error!("misplaced: {text}");
            }
            if found.is_empty() && !said.is_empty() {
                tracing::info!("no ring is misplaced any more");
            }
            said = found;
        }
    }
}

/// Says what we have and returns what everybody has; `None` while the server is away.
async fn exchange(
    cold: &Cold,
    place: &Place,
    ours: &[Attachment],
    unix_ms: i64,
) -> Option<HashMap<String, String>> {
    if ours.is_empty() {
        return None;
    }
    let talk = async {
        for attachment in ours {
            let word = place.word(attachment, unix_ms);
            let json = serde_json::json!(word).to_string();
            cold.hash_put(KEY, &field(attachment), &json, Some(TTL))
                .await?;
        }
        cold.hash_get_all(KEY).await
    };
    match talk.await {
        Ok(all) => Some(all),
        // Whoever watches Redis says so; the rings do not need it.
        Err(error) => {
            tracing::debug!(%error, "cannot say what is attached");
            None
        }
    }
}

fn field(attachment: &Attachment) -> String {
    format!("{}:{}", attachment.ring, attachment.role)
}

/// Every end of a ring of ours that has another file than we have, in words.
fn misplaced(
    place: &Place,
    ours: &[Attachment],
    all: &HashMap<String, String>,
    now_unix_ms: i64,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attachment in ours {
        let own = place.word(attachment, now_unix_ms);
        for (field, json) in all {
            let Some((ring, role)) = field.split_once(':') else {
                continue;
            };
            if ring != attachment.ring || role == attachment.role {
                continue;
            }
            let Ok(peer) = serde_json::from_str::<Word>(json) else {
                continue;
            };
            if peer.instance != own.instance && peer.is_fresh(now_unix_ms) {
                found.insert(describe(attachment, &own, role, &peer));
            }
        }
    }
    found
}

fn describe(attachment: &Attachment, own: &Word, peer_role: &str, peer: &Word) -> String {
    let fix = if own.mounts != peer.mounts {
        "give both the same mount there (in compose.yaml the volume `rings`), and start again whoever had another"
    } else if own.directory == peer.directory {
        "the rings were laid out anew while one of them ran: stop the pipeline and start it again"
    } else {
        "start both with the same pipeline file"
    };
    format!(
        "`{}` is two files, nothing passes between them\n  {}\n  {}\n  fix: {fix}",
        attachment.ring,
        own.line(&attachment.role),
        peer.line(peer_role)
    )
}

impl Word {
    /// A process that is gone says nothing more; one that was started again says anew.
    fn is_fresh(&self, now_unix_ms: i64) -> bool {
        let age = now_unix_ms.abs_diff(self.unix_ms);
        u128::from(age) <= FRESH.as_millis()
    }

    fn line(&self, role: &str) -> String {
        // A board's reader is named by its process already.
        let role = role.split('.').next().unwrap_or(role);
        format!(
            "{role} `{}` has instance {} in `{}` (host {}, {})",
            self.process,
            self.instance,
            self.directory.display(),
            self.host,
            self.mounts
        )
    }
}

impl Place {
    fn of(process: String) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            process,
            host: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map_or_else(|_| unknown(), |name| name.trim().to_owned()),
            mounts: std::fs::read_link("/proc/self/ns/mnt")
                .map_or_else(|_| unknown(), |link| link.display().to_string()),
        }
    }

    fn word(&self, attachment: &Attachment, unix_ms: i64) -> Word {
        Word {
            process: self.process.clone(),
            instance: format!("{:016x}", attachment.instance),
            directory: attachment.directory.clone(),
            host: self.host.clone(),
            mounts: self.mounts.clone(),
            unix_ms,
        }
    }
}

#[cfg(test)]
mod tests;
