//! Hears at once that somebody has changed the config in Redis: keyspace notifications of its hash.
//!
//! A server that sends none, or may not be told to, is asked once a period all the same. So is one that we do
//! not hear any more.

use super::{PATIENCE, Shared, say};
use pipeline::Pipeline;
use redis::{Client, Connection, RedisResult};
use std::{collections::HashMap, time::Duration};

/// The server's setting of what it tells of changes.
const SETTING: &str = "notify-keyspace-events";
/// Of changes of hashes, by the name of the key.
const WANTED: &str = "Kh";
/// Between two looks at whether we are still needed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Wait before a server that was lost is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Listens until the desk is closed.
pub(super) fn listen(shared: &Shared, pipeline: &Pipeline) {
    let mut said = false;
    while !shared.desk().closed {
        let heard = hear(shared, pipeline);
        let Err(error) = heard else { return };
        if !std::mem::replace(&mut said, true) {
            say(&format!(
                "\nwarning: redis does not tell of changes ({error}); its config is read once a second"
            ));
        }
        std::thread::sleep(RETRY);
    }
}

/// Hears one connection to its end; well when the desk is closed.
fn hear(shared: &Shared, pipeline: &Pipeline) -> RedisResult<()> {
    let client = Client::open(pipeline.redis.url.as_str())?;
    let mut connection = client.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    have_it_tell(&mut connection)?;
    let mut heard = connection.as_pubsub();
    heard.psubscribe(format!("__keyspace@*__:arbees:{}:config", pipeline.name))?;
    heard.set_read_timeout(Some(LOOK_EVERY))?;
    // What was changed before we listened.
    shared.ask();
    while !shared.desk().closed {
        match heard.get_message() {
            Ok(_) => shared.ask(),
            Err(error) if error.is_timeout() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Adds to what the server tells whatever is missing of what we need: others may need more.
fn have_it_tell(connection: &mut Connection) -> RedisResult<()> {
    let told: HashMap<String, String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg(SETTING)
        .query(connection)?;
    let told = told.get(SETTING).map_or("", String::as_str);
    let wanted = with_ours(told);
    if wanted == told {
        return Ok(());
    }
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(SETTING)
        .arg(&wanted)
        .exec(connection)
}

/// The server's letters and ours; `A` stands for the kinds of all keys.
fn with_ours(told: &str) -> String {
    let missing =
        |letter: &char| !told.contains(*letter) && (*letter == 'K' || !told.contains('A'));
    told.chars().chain(WANTED.chars().filter(missing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_want_to_be_told_of_stays() {
        assert_eq!(with_ours(""), "Kh");
        assert_eq!(with_ours("Ex"), "ExKh");
        assert_eq!(with_ours("AKE"), "AKE");
        assert_eq!(with_ours("AE"), "AEK");
        assert_eq!(with_ours("hK"), "hK");
    }
}
