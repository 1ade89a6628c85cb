//! What follows from the words of two processes on one ring.

use super::*;
use crate::cold::redis::private_server::Server;

const NOW: i64 = 1_000_000;

fn place(process: &str, mounts: &str) -> Place {
    Place {
        process: process.into(),
        host: "here".into(),
        mounts: mounts.into(),
    }
}

fn end(role: &str, instance: u64, directory: &str) -> Attachment {
    Attachment {
        ring: "orders".into(),
        role: role.into(),
        instance,
        directory: directory.into(),
    }
}

/// What the consumer finds when the producer has said `theirs` at `said`.
fn found(ours: &Attachment, theirs: &Attachment, mounts: &str, said: i64) -> BTreeSet<String> {
    let end = place("signal_processor", mounts).end(theirs, said);
    let all = HashMap::from([(end.field(), serde_json::json!(end.word).to_string())]);
    let place = place("execution_service", "mnt:[1]");
    misplaced(&place, std::slice::from_ref(ours), &all, NOW)
}

#[test]
fn two_files_under_one_name_are_named_with_both_places_and_the_fix() {
    let ours = end("consumer", 0xa, "/rings/demo");
    let theirs = end("producer", 0xb, "/rings/demo");
    let text = found(&ours, &theirs, "mnt:[2]", NOW - 2_000);
    let text = text.first().expect("found");
    for part in [
        "`orders`",
        "consumer `execution_service` has instance 000000000000000a in `/rings/demo` (host here, mnt:[1])",
        "producer `signal_processor` has instance 000000000000000b in `/rings/demo` (host here, mnt:[2])",
        "the same mount",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn one_file_is_no_alarm_wherever_it_is_mounted_nor_is_the_word_of_the_dead() {
    let ours = end("consumer", 0xa, "/rings/demo");
    let same = end("producer", 0xa, "/elsewhere/demo");
    assert!(found(&ours, &same, "mnt:[2]", NOW).is_empty());
    // Our own former self, before it was started again.
    let before = end("consumer", 0xb, "/rings/demo");
    assert!(found(&ours, &before, "mnt:[2]", NOW).is_empty());
    let other = end("producer", 0xb, "/rings/demo");
    assert!(found(&ours, &other, "mnt:[2]", NOW - 7_000).is_empty());
}

/// Through a real server: each process sees what the other has said, and itself once.
#[tokio::test]
async fn words_go_through_redis() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let (one, other) = (
        place("execution_service", "mnt:[1]"),
        place("signal_processor", "mnt:[2]"),
    );
    let ours = [end("consumer", 0xa, "/rings/demo")];
    let theirs = [end("producer", 0xb, "/rings/demo")];
    let all = exchange(&cold, &one, &ours, NOW).await.expect("answers");
    assert!(misplaced(&one, &ours, &all, NOW).is_empty());
    let all = exchange(&cold, &other, &theirs, NOW)
        .await
        .expect("answers");
    assert_eq!(misplaced(&other, &theirs, &all, NOW).len(), 1);
    assert_eq!(all.len(), 2, "{all:?}");
}
