//! The brake against a venue whose shards fail one by one.

use super::*;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::{Json, Router};
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// What is asked of a group: the last part of its path.
type Verb = &'static str;

/// A venue of groups that answers with a status where it is told to.
#[derive(Debug, Default)]
struct Script {
    failing: BTreeMap<(u32, Verb), u16>,
    /// What was asked, the failures too.
    asked: Vec<(u32, String)>,
}

async fn answer(
    State(script): State<watch::Sender<Script>>,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let verb = uri.path().rsplit('/').next().expect("a path").to_owned();
    let query = uri.query().unwrap_or_default();
    let named = query.trim_start_matches("exchange_index=").parse().ok();
    let created = u32::deserialize(&body["exchange_index"]).ok();
    let shard = named.or(created).expect("a shard");
    let mut status = None;
    script.send_modify(|script| {
        let fault = script
            .failing
            .iter()
            .find(|((at, of), _)| (*at, *of) == (shard, verb.as_str()));
        status = fault.map(|(_, status)| StatusCode::from_u16(*status).expect("a status"));
        script.asked.push((shard, verb));
    });
    let body = json!({ "order_group_id": format!("group-{shard}") });
    (status.unwrap_or(StatusCode::OK), Json(body))
}

struct Scene {
    script: watch::Sender<Script>,
    word: watch::Sender<Word>,
    shards: watch::Sender<BTreeSet<u32>>,
    brake: Arc<Brake>,
    directory: TempDir,
}

impl Scene {
    async fn open(failing: &[((u32, Verb), u16)]) -> Self {
        let script = watch::Sender::new(Script {
            failing: failing.iter().copied().collect(),
            ..Script::default()
        });
        let router = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let base = format!("http://{}/x", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("an address");
        let directory = tempfile::tempdir().expect("a directory");
        let word = watch::Sender::new(Word {
            halted: false,
            since_unix_us: 1,
            burst_contracts: 50,
        });
        let brake = Brake::new(
            rest,
            directory.path(),
            directory.path().join("safe"),
            word.subscribe(),
            Arc::new(Mutex::new(Tally::new().expect("histograms"))),
        );
        Self {
            script,
            word,
            shards: watch::Sender::new(BTreeSet::from([0, 3])),
            brake: Arc::new(brake),
            directory,
        }
    }

    fn keep(&self) {
        tokio::spawn(Arc::clone(&self.brake).keep(self.shards.subscribe()));
    }

    fn say(&self, halted: bool, since: u64) {
        self.word
            .send_modify(|word| (word.halted, word.since_unix_us) = (halted, since));
    }

    fn fail(&self, failing: &[((u32, Verb), u16)]) {
        self.script
            .send_modify(|script| script.failing = failing.iter().copied().collect());
    }

    /// Waits until a shard was asked for something so many times.
    async fn asked(&self, shard: u32, verb: Verb, times: usize) {
        let mut script = self.script.subscribe();
        let asked = script.wait_for(|script| {
            let one = |(at, of): &&(u32, String)| (*at, of.as_str()) == (shard, verb);
            script.asked.iter().filter(one).count() >= times
        });
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        let _seen = asked.expect("in time").expect("the script is there");
    }

    async fn passes(&self, shard: u32) -> bool {
        self.brake.admit(shard, PATIENCE).await.is_ok()
    }
}

/// Long enough for anything but a wait in vain.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_pull_whose_answer_is_lost_is_not_the_venues_doing() {
    let scene = Scene::open(&[]).await;
    scene.keep();
    assert!(scene.passes(3).await);
    scene.fail(&[((3, "trigger"), 503), ((3, "reset"), 503)]);
    scene.say(true, 2);
    scene.asked(3, "trigger", 1).await;
    scene.say(false, 3);
    // It may be shut or not: nothing is sent that it would refuse.
    assert_eq!(scene.brake.verdict(3), None);
    scene.asked(3, "reset", 1).await;
    assert_eq!(scene.brake.verdict(3), None);
    scene.fail(&[]);
    assert!(scene.passes(3).await);
    assert!(!scene.directory.path().join("safe").exists());
}

#[tokio::test]
async fn a_shard_that_fails_holds_up_no_other() {
    let scene = Scene::open(&[((3, "create"), 503)]).await;
    scene.keep();
    assert!(scene.passes(0).await);
    scene.asked(3, "create", 2).await;
    scene.say(true, 2);
    scene.asked(0, "trigger", 1).await;
    scene.say(false, 3);
    assert!(scene.passes(0).await, "reset, though shard 3 fails");
    scene.fail(&[((0, "trigger"), 503)]);
    assert!(scene.passes(3).await);
    scene.say(true, 4);
    scene.asked(0, "trigger", 4).await;
    scene.asked(3, "trigger", 1).await;
}

#[tokio::test]
async fn only_the_first_shards_refusal_ends_all_trade() {
    let scene = Scene::open(&[((3, "create"), 403)]).await;
    scene.keep();
    scene.asked(3, "create", 2).await;
    assert!(scene.passes(0).await);
    assert_eq!(scene.brake.opened().await, Ok(()));
}

/// A shard's task is a loop: what is made in vain would be made at each turn.
#[tokio::test]
async fn no_group_is_made_that_a_successor_could_not_be_told_of() {
    let scene = Scene::open(&[]).await;
    let blocked = scene.directory.path().join("order_groups.partial");
    std::fs::create_dir(&blocked).expect("in the way");
    let word = *scene.word.borrow();
    let done = scene.brake.carry_out(Task::Open, 0, word).await;
    assert!(done.is_err(), "it is not told to go on at once");
    assert_eq!(scene.script.borrow().asked, []);
    std::fs::remove_dir(&blocked).expect("out of the way");
    assert_eq!(scene.brake.carry_out(Task::Open, 0, word).await, Ok(()));
    assert!(scene.passes(0).await);
}

/// One group of a predecessor cannot be shut; another, which the venue has shut, stays so.
#[tokio::test]
async fn what_the_venue_has_shut_is_taken_over_whatever_becomes_of_the_rest() {
    let scene = Scene::open(&[((0, "trigger"), 403)]).await;
    let mut left = Groups::default();
    for shard in [0, 3] {
        left.by_shard.insert(shard, Group::open("dead".into(), 50));
    }
    let shut = left.by_shard.get_mut(&3).expect("it is there");
    shut.shut_since = Some(1);
    let left = serde_json::to_vec(&left).expect("a text");
    std::fs::write(scene.directory.path().join("order_groups.json"), left).expect("kept");
    scene.keep();
    scene.asked(0, "trigger", 1).await;
    assert!(scene.passes(0).await);
    assert!(!scene.passes(3).await);
    assert!(!scene.brake.groups.borrow().fenced);
    // A person lets it go on: it is replaced, and ends with the rest.
    scene.say(false, 2);
    assert!(scene.passes(3).await);
    let old = scene.brake.groups.borrow().old.clone();
    assert_eq!(old, [(0, "dead".into()), (3, "dead".into())]);
}
