//! The two servers on loopback, what they share, and the clock that drives the world.

use super::answer::Answer;
use super::auth::{self, Verifier};
use super::exchange::Exchange;
use super::faults::{self, Faults};
use super::feed;
use super::game::{Game, Stage};
use super::hub::Hub;
use super::ledger::Shard;
use super::network::Network;
use super::rate_limit::{Buckets, Tier};
use super::times::now_us;
use super::world::World;
use super::{
    batches, changes, charge, order_groups, portfolio, reference, rest, steering, websocket,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Root of the REST interface.
pub(crate) const ROOT: &str = "/trade-api/v2";
/// The longest body of a request, bytes.
const LARGEST_BODY: usize = 2 << 20;
/// The world goes on this often.
const TICK: Duration = Duration::from_millis(10);
/// The game clock starts with the first listener, or after this long without one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the servers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) verifier: Verifier,
    pub(crate) network: Network,
    pub(crate) faults: Faults,
    buckets: Mutex<Buckets>,
    board: Mutex<Board>,
}

#[derive(Debug, Default)]
struct Board {
    games: Vec<Game>,
    settled: usize,
}

impl Shared {
    /// Everything in place, with the games as they stand before the start.
    pub(crate) fn new(
        exchange: Exchange,
        verifier: Verifier,
        network: Network,
        tier: Tier,
        world: &dyn World,
    ) -> Self {
        let board = Board {
            games: world.games(),
            settled: world.settled(),
        };
        let buckets = Mutex::new(Buckets::new(tier, Instant::now()));
        Self {
            hub: Hub::new(exchange),
            verifier,
            network,
            faults: Faults::default(),
            buckets,
            board: Mutex::new(board),
        }
    }

    /// How the games stand.
    pub(crate) fn games(&self) -> Vec<Game> {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .games
            .clone()
    }

    /// Where the run stands.
    pub(crate) fn progress(&self) -> Value {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let total = board.games.len();
        json!({
            "games": total,
            "live": board.games.iter().filter(|game| game.state.is_live()).count(),
            "finished": board.games.iter().filter(|game| game.state.stage == Stage::Over).count(),
            "settled": board.settled,
            "done": board.settled == total,
        })
    }

    /// What the account may spend.
    pub(crate) fn tier(&self) -> Tier {
        self.buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tier()
    }

    /// Pays for all items of a call, or refuses all of it.
    fn pays_for(&self, method: &str, path: &str, items: &BTreeMap<Shard, usize>) -> bool {
        self.buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(method, path, items, Instant::now())
    }
}

/// The venue: REST, WebSocket and the simulator's own status.
pub(crate) fn venue(shared: &Arc<Shared>) -> Router {
    let public = Router::new()
        .route("/exchange/status", get(rest::status))
        .route("/exchange/schedule", get(reference::schedule))
        .route("/milestones", get(reference::milestones))
        .route("/series", get(rest::series_list))
        .route("/series/fee_changes", get(rest::fee_changes))
        .route("/series/{ticker}", get(rest::series))
        .route("/events", get(rest::events))
        .route("/events/fee_changes", get(reference::event_fee_changes))
        .route("/events/{ticker}", get(rest::event))
        .route("/markets", get(rest::markets))
        .route("/markets/trades", get(rest::trades))
        .route("/markets/orderbooks", get(reference::orderbooks))
        .route("/markets/{ticker}", get(rest::market))
        .route("/markets/{ticker}/orderbook", get(rest::orderbook))
        .route("/account/endpoint_costs", get(portfolio::endpoint_costs))
        .route_layer(from_fn_with_state(Arc::clone(shared), admit_anybody));
    let signed = orders(shared)
        .merge(groups())
        .route("/portfolio/fills", get(portfolio::fills))
        .route("/portfolio/positions", get(portfolio::positions))
        .route("/portfolio/settlements", get(portfolio::settlements))
        .route("/portfolio/balance", get(portfolio::balance))
        .route("/account/limits", get(portfolio::limits))
        .route_layer(from_fn_with_state(Arc::clone(shared), admit));
    let api = public
        .merge(signed)
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(shared), delay));
    Router::new()
        .nest(ROOT, api)
        .route(websocket::PATH, get(websocket::upgrade))
        .route("/simulator/status", get(rest::progress))
        .merge(steering::routes())
        .fallback(unknown)
        .with_state(Arc::clone(shared))
}

fn orders(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/portfolio/events/orders",
            post(portfolio::create)
                .layer(from_fn_with_state(Arc::clone(shared), faults::spoil))
                .delete(portfolio::cancel_all),
        )
        .route("/portfolio/events/orders/{id}", delete(changes::cancel))
        .route("/portfolio/events/orders/{id}/amend", post(changes::amend))
        .route(
            "/portfolio/events/orders/{id}/decrease",
            post(changes::decrease),
        )
        .route(batches::PATH, post(batches::create).delete(batches::cancel))
        .route(
            "/portfolio/orders",
            get(portfolio::orders).post(portfolio::legacy),
        )
        .route(
            "/portfolio/orders/batched",
            post(portfolio::legacy).delete(portfolio::legacy),
        )
        .route(
            "/portfolio/orders/{id}",
            get(portfolio::order).delete(portfolio::legacy),
        )
        .route("/portfolio/orders/{id}/amend", post(portfolio::legacy))
        .route("/portfolio/orders/{id}/decrease", post(portfolio::legacy))
        .route(
            "/portfolio/orders/queue_positions",
            get(changes::queue_positions),
        )
        .route(
            "/portfolio/orders/{id}/queue_position",
            get(changes::queue_position),
        )
}

fn groups() -> Router<Arc<Shared>> {
    Router::new()
        .route("/portfolio/order_groups", get(order_groups::list))
        .route("/portfolio/order_groups/create", post(order_groups::create))
        .route(
            "/portfolio/order_groups/{id}",
            get(order_groups::get).delete(order_groups::delete),
        )
        .route(
            "/portfolio/order_groups/{id}/reset",
            put(order_groups::reset),
        )
        .route(
            "/portfolio/order_groups/{id}/trigger",
            put(order_groups::trigger),
        )
        .route(
            "/portfolio/order_groups/{id}/limit",
            put(order_groups::limit),
        )
}

/// The scoreboards.
pub(crate) fn scoreboards(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/apis/site/v2/sports/{sport}/{league}/scoreboard",
            get(feed::scoreboard),
        )
        .with_state(Arc::clone(shared))
}

async fn unknown() -> Answer {
    Answer {
        status: 404,
        body: "404 page not found".to_string(),
    }
}

/// The way to the venue and back.
async fn delay(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let journey = shared.network.request().await;
    let response = next.run(request).await;
    journey.answer().await;
    response
}

/// A public call needs no signature. One that is signed is checked and paid for like any other.
async fn admit_anybody(
    shared: State<Arc<Shared>>,
    uri: OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    if auth::is_signed(request.headers()) {
        admit(shared, uri, request, next).await
    } else {
        next.run(request).await
    }
}

/// Signature first, then the price of the call, then what it says.
async fn admit(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = shared.verifier.check(
        request.headers(),
        request.method().as_str(),
        uri.path(),
        now_us() / 1_000,
    ) {
        return refusal.into_response();
    }
    let path = uri.path().strip_prefix(ROOT).unwrap_or(uri.path());
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return Answer::fault(413, "bad_request", "request body too large", None).into_response();
    };
    let items = charge::items(path, uri.query().unwrap_or(""), &body);
    if !shared.pays_for(head.method.as_str(), path, &items) {
        return Answer::too_many().into_response();
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

/// Serves one router until it is dropped, encrypted where there is a certificate.
pub(crate) async fn serve(
    listener: TcpListener,
    certificate: Option<RustlsConfig>,
    router: Router,
) -> std::io::Result<()> {
    // Without this the answers of a request a few hundred bytes long may wait for an acknowledgement.
    let plain = NoDelayAcceptor::new();
    let server = axum_server::from_tcp(listener.into_std()?)?;
    let service = router.into_make_service();
    match certificate {
        Some(certificate) => {
            let encrypted = RustlsAcceptor::new(certificate).acceptor(plain);
            server.acceptor(encrypted).serve(service).await
        }
        None => server.acceptor(plain).serve(service).await,
    }
}

/// Drives the world: waits for a listener, then lets time pass.
pub(crate) async fn drive(shared: Arc<Shared>, mut world: Box<dyn World>) {
    let opened = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !shared.hub.has_listener() && opened.elapsed() < PATIENCE {
        tick.tick().await;
    }
    let started = Instant::now();
    loop {
        tick.tick().await;
        let elapsed = started.elapsed().as_secs_f64();
        let now = now_us();
        shared.hub.with(|exchange| {
            exchange.expire(now);
            world.advance(elapsed, exchange, now);
        });
        let mut board = shared.board.lock().unwrap_or_else(PoisonError::into_inner);
        *board = Board {
            games: world.games(),
            settled: world.settled(),
        };
    }
}
