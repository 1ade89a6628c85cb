//! `metrics`: all counters for Prometheus, once or over HTTP.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    exposition::{self, CONTENT_TYPE},
    sample::Sources,
    say, say_json,
};
use axum::{
    Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, runtime, signal::unix};

pub(crate) const HELP: &str = r#"Example:

  $ shm-inspect metrics
  # HELP arbees_published_total Messages published, or writes of a board's rows, since the segment was created.
  # TYPE arbees_published_total counter
  arbees_published_total{pipeline="demo",ring="orders",kind="ring"} 173
  ...
  $ shm-inspect metrics --listen 127.0.0.1:9464
  metrics at http://127.0.0.1:9464/metrics

Whoever reaches the address can read them: there are no passwords. Rings that come and go are noticed at each scrape.

Exit codes: 0 done, or told to stop; 1 some rings cannot be read; 2 no such directory, or the address is taken."#;

/// Where they go.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Serves them at http://ADDR/metrics until Ctrl-C or SIGTERM.
    #[arg(long, value_name = "ADDR", conflicts_with = "json")]
    listen: Option<SocketAddr>,
}

/// Writes or serves them.
///
/// # Errors
///
/// When a directory cannot be read, or the address is taken.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let mut sources = Sources::open(&arguments.place.rings)?;
    if let Some(address) = options.listen {
        serve(sources, address)?;
        return Ok(Exit::Fine);
    }
    let samples = sources.read();
    if arguments.json {
        say_json(&exposition::families(&samples))?;
    } else {
        say(&exposition::text(&samples))?;
    }
    let sound = samples.iter().all(|sample| sample.reading.is_ok());
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

type Shared = Arc<Mutex<Sources>>;

fn serve(sources: Sources, address: SocketAddr) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the server", error))?;
    runtime.block_on(async {
        let listening = |error| {
            Failure::io(
                format!("listen on {address} (fix: name another --listen)"),
                error,
            )
        };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let stop = stop().map_err(|error| Failure::io("await signals", error))?;
        // A notice: the metrics are what the output is for.
        eprintln!("metrics at http://{address}/metrics");
        let routes = Router::new()
            .route("/metrics", get(scrape))
            .with_state(Arc::new(Mutex::new(sources)));
        axum::serve(listener, routes)
            .with_graceful_shutdown(stop)
            .await
            .map_err(|error| Failure::io("serve metrics", error))
    })
}

/// Ends with Ctrl-C or SIGTERM.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn scrape(State(sources): State<Shared>) -> impl IntoResponse {
    // One scrape after the other; a scrape that panicked has left nothing half-done that counts.
    let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
    match sources.refresh() {
        Ok(()) => {
            let text = exposition::text(&sources.read());
            (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text)
        }
        Err(failure) => {
            let plain = "text/plain; charset=utf-8";
            let text = format!("{failure}\n");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                [(header::CONTENT_TYPE, plain)],
                text,
            )
        }
    }
}
