//! Says in Redis who is attached to which file, so that two ends of a ring that each have a file of their own find out: see
//! [`pipeline::attendance`]. A process says it at each attach and then every two seconds, and looks at what the others say.

use super::redis::Cold;
use pipeline::attendance::{End, KEY, Misplaced, Word};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Time between two words of a process on what it has.
const PERIOD: Duration = Duration::from_secs(2);
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
            let end = place.end(attachment, unix_ms);
            let json = serde_json::json!(end.word).to_string();
            cold.hash_put(KEY, &end.field(), &json, Some(TTL)).await?;
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

/// Every end of a ring of ours that has another file than we have, in words.
fn misplaced(
    place: &Place,
    ours: &[Attachment],
    all: &HashMap<String, String>,
    now_unix_ms: i64,
) -> BTreeSet<String> {
    let read =
        |(field, json): (&String, &String)| End::read(field, serde_json::from_str(json).ok()?);
    let said: Vec<End> = all.iter().filter_map(read).collect();
    let mut found = BTreeSet::new();
    for attachment in ours {
        let own = place.end(attachment, now_unix_ms);
        let contradicted = |peer| own.contradicts(peer, now_unix_ms);
        found.extend(said.iter().filter_map(contradicted).map(describe));
    }
    found
}

fn describe(misplaced: Misplaced<'_>) -> String {
    let (Misplaced { one, other }, fix) = (misplaced, misplaced.fix());
    format!(
        "`{}` is two files, nothing passes between them\n  {one}\n  {other}\n  fix: {fix}",
        one.ring
    )
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

    fn end(&self, attachment: &Attachment, unix_ms: i64) -> End {
        End {
            ring: attachment.ring.clone(),
            role: attachment.role.clone(),
            word: Word {
                process: self.process.clone(),
                instance: format!("{:016x}", attachment.instance),
                directory: attachment.directory.clone(),
                host: self.host.clone(),
                mounts: self.mounts.clone(),
                unix_ms,
            },
        }
    }
}

#[cfg(test)]
mod tests;
