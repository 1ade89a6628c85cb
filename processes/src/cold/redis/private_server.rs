//! A real `redis-server` on a socket of its own, for tests.

use super::Cold;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A private `redis-server`; gone with the test.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    pub(crate) child: Child,
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("tempdir");
        let child = Self::spawn(&folder.path().join("socket"));
        if child.is_none() {
            eprintln!("skipped: redis-server is not installed");
        }
        Some(Self {
            folder,
            child: child?,
        })
    }

    pub(crate) fn spawn(socket: &std::path::Path) -> Option<Child> {
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocket",
            ])
            .arg(socket);
        command.stdout(Stdio::null()).spawn().ok()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) async fn cold(&self) -> Cold {
        let cold = Cold::connect(&self.url(), "test");
        answers(&cold).await;
        cold
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("reaps");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cold {
    /// Reads a value.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>, super::ColdError> {
        let mut pipe = redis::pipe();
        pipe.get(self.key(key));
        self.run::<(Option<String>,)>(pipe)
            .await
            .map(|(value,)| value)
    }
}

/// Asks until the server answers, as every process does.
pub(crate) async fn answers(cold: &Cold) {
    while cold.get("anything").await.is_err() {
        tokio::task::yield_now().await;
    }
}
