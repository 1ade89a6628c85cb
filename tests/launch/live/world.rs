//! A venue, a feed and a Redis of somebody else's: a simulator that runs by itself and lives on, and a server with a
//! password.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pipeline::{Pipeline, Simulator};
use processes::venue::{
    kalshi_rest::KalshiRest,
    kalshi_wire::OrderState,
    signing::{Signature, Signer},
    tls::Trust,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tests::{
    programs::program,
    scratch::{Scratch, await_some},
};

/// What nobody is to read anywhere, as a password of Redis.
const PASSWORD: &str = "s3cr3t/of:redis";

/// The kinds of keys that the venue takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Ed25519,
    Rsa,
}

/// An exchange, a feed and a Redis that outlive the pipelines which use them.
pub(super) struct World {
    _directory: Scratch,
    resolved: Pipeline,
    addresses: Value,
    redis_socket: PathBuf,
    children: Vec<Child>,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl World {
    pub(super) fn new(key: KeyKind, change: impl FnOnce(&mut Simulator)) -> Self {
        let mut scratch = Scratch::of("demo.toml");
        change(scratch.pipeline.simulator.as_mut().unwrap());
        let socket = scratch.path().join("redis");
        let redis = start_redis(&socket);
        scratch.pipeline.redis.url = redis_url(&socket, PASSWORD);
        fs::create_dir(&scratch.pipeline.rings).unwrap();
        let file = scratch.path().join("pipeline.toml");
        fs::write(&file, toml::to_string(&scratch.pipeline).unwrap()).unwrap();
        let prepared = scratch.tell(&["prepare"]);
        prepared.ended_with(0);
        let resolved_file = scratch.pipeline.run_dir.join("pipeline.toml");
        let resolved = Pipeline::load(&resolved_file).unwrap();
        if key == KeyKind::Rsa {
            let made = Command::new("openssl")
                .args(["genpkey", "-algorithm", "RSA", "-pkeyopt"])
                .args(["rsa_keygen_bits:2048", "-out"])
                .arg(&resolved.venue.key_file)
                .stderr(Stdio::null())
                .status();
            assert!(made.expect("start openssl").success());
        }
        let simulator = Command::new(program("simulator"))
            .arg("--pipeline")
            .arg(&resolved_file)
            .args(["--name", "simulator"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the simulator");
        let ready = scratch.pipeline.run_dir.join("simulator.ready");
        let addresses = await_some("the simulator's addresses", || {
            serde_json::from_str(&fs::read_to_string(&ready).ok()?).ok()
        });
        Self {
            resolved,
            redis_socket: socket,
            addresses,
            children: vec![simulator, redis],
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _directory: scratch,
        }
    }

    pub(super) fn address(&self, name: &str) -> String {
        self.addresses[name].as_str().unwrap().to_owned()
    }

    /// A pipeline for which all of this is the real thing.
    pub(super) fn pipeline(&self) -> Scratch {
        let mut scratch = Scratch::lasting("demo.toml");
        let pipeline = &mut scratch.pipeline;
        pipeline.simulator = None;
        pipeline
            .processes
            .retain(|process| process.name != "simulator");
        pipeline.redis.url = redis_url(&self.redis_socket, PASSWORD);
        pipeline.feed.url = self.address("feed");
        pipeline.venue = self.resolved.venue.clone();
        pipeline.venue.rest = self.address("rest");
        pipeline.venue.websocket = self.address("websocket");
        scratch
    }

    fn signer(&self) -> Signer {
        let venue = &self.resolved.venue;
        Signer::load(&venue.key_id, &venue.key_file).unwrap()
    }

    pub(super) fn rest(&self) -> KalshiRest {
        KalshiRest::new(&self.address("rest"), self.signer(), &Trust::none()).unwrap()
    }

    pub(super) fn orders(&self) -> Vec<OrderState> {
        let rest = self.rest();
        // The venue refuses who asks too often.
        await_some("the venue's word", || {
            self.runtime.block_on(rest.orders(None)).ok()
        })
    }

    pub(super) fn orders_at_the_venue(&self) -> usize {
        self.orders().len()
    }

    /// Whether all of its games are settled.
    pub(super) fn is_over(&self) -> bool {
        let root = self.address("rest");
        let root = root.strip_suffix("/trade-api/v2").unwrap().to_owned();
        let url = format!("{root}/simulator/status");
        let request = Trust::none().http(&url).unwrap().build().unwrap().get(url);
        let answer = self
            .runtime
            .block_on(async { request.send().await?.json::<Value>().await });
        answer.unwrap()["done"] == true
    }

    /// Rests an order, as somebody at the venue's web page would, and returns its id; `None` where the market is closed.
    pub(super) fn rest_an_order(&self, ticker: &str) -> Option<String> {
        let url = format!("{}/portfolio/events/orders", self.address("rest"));
        let signature = self
            .signer()
            .sign_now("POST", "/trade-api/v2/portfolio/events/orders");
        let signature: Signature = signature.unwrap();
        let body = json!({
            "ticker": ticker, "client_order_id": uuid::Uuid::new_v4().to_string(), "side": "bid", "count": "1.00",
            "price": "0.0100", "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        });
        let request = Trust::none().http(&url).unwrap().build().unwrap().post(url);
        let request = signature
            .headers()
            .into_iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            });
        let answer: Value = self.runtime.block_on(async {
            let answer = request.json(&body).send().await.unwrap();
            answer.json().await.unwrap()
        });
        let id = answer["order_id"].as_str()?;
        let rest = self.rest();
        // The venue's reads lag behind its writes.
        await_some("the order to be listed", || {
            let resting = self.runtime.block_on(rest.resting_orders()).unwrap();
            resting
                .iter()
                .any(|order| order.order_id == id)
                .then_some(())
        });
        Some(id.to_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn redis_url(socket: &Path, password: &str) -> String {
    format!("redis+unix://{}?pass={password}", socket.display())
}

/// A server whose password stands in no command line.
fn start_redis(socket: &Path) -> Child {
    let mut redis = Command::new("redis-server")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("start redis-server");
    let config = format!(
        "port 0\nsave \"\"\nrequirepass {PASSWORD}\nunixsocket {}\n",
        socket.display()
    );
    let mut input = redis.stdin.take().expect("piped");
    input.write_all(config.as_bytes()).unwrap();
    drop(input);
    await_some("redis-server", || socket.exists().then_some(()));
    redis
}

impl World {
    /// The private key in each form in which it could get out.
    fn key_in_each_form(&self) -> Vec<Vec<u8>> {
        let text = fs::read_to_string(&self.resolved.venue.key_file).unwrap();
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(&base64).unwrap();
        // What follows the seed of an Ed25519 key (RFC 8410), or the last number of an RSA key, is no secret or not there.
        let secret = if der.len() < 100 {
            der[16..48].to_vec()
        } else {
            der[der.len() - 64..].to_vec()
        };
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let written = if der.len() < 100 {
            &base64[..40]
        } else {
            &base64[base64.len() - 60..][..40]
        };
        vec![written.as_bytes().to_vec(), secret, hex.into_bytes()]
    }

    /// No secret is in a text that people see.
    pub(super) fn no_secret_in_text(&self, text: &str) {
        assert!(!text.contains(PASSWORD), "{text}");
        for secret in self.key_in_each_form() {
            assert!(!holds(text.as_bytes(), &secret), "{text}");
        }
    }

    /// Nor in files of these directories, command lines and environments of all processes, and anything in Redis. Only the
    /// resolved pipeline file, which nobody else can read, holds the password.
    pub(super) fn no_secret_in(&self, directories: &[&Path]) {
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in directories {
            for directory in [directory.to_path_buf(), directory.join("logs")] {
                let entries = fs::read_dir(directory).into_iter().flatten();
                files.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        for process in fs::read_dir("/proc").unwrap().flatten() {
            files.extend(["cmdline", "environ"].map(|name| process.path().join(name)));
        }
        let mut looked = 0;
        let mut secrets = self.key_in_each_form();
        secrets.push(PASSWORD.into());
        for file in files {
            let Ok(content) = fs::read(&file) else {
                continue;
            };
            looked += content.len();
            for secret in &secrets {
                let allowed = file.ends_with("pipeline.toml") && secret == PASSWORD.as_bytes();
                if allowed {
                    let mode = fs::metadata(&file).unwrap().permissions().mode();
                    assert_eq!(mode & 0o777, 0o600, "{}", file.display());
                    continue;
                }
                assert!(
                    !holds(&content, secret),
                    "a secret is in {}",
                    file.display()
                );
            }
        }
        assert!(looked > 10_000, "{looked} bytes are not what a run leaves");
        let dump = Command::new("redis-cli")
            .env("REDISCLI_AUTH", PASSWORD)
            .arg("-s")
            .arg(&self.redis_socket)
            .args(["--rdb", "-"])
            .output()
            .expect("start redis-cli");
        assert!(dump.stdout.len() > 1_000, "{:?}", dump.stderr);
        assert!(secrets.iter().all(|secret| !holds(&dump.stdout, secret)));
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
