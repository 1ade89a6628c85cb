//! The feed's HTTP side: one conditional request for one league.
//!
//! Caches stand between the feed and us. What they have kept for a while says so (`Age`), and what its origin
//! has stamped is no newer than that (`Date`), as far as clocks agree: a document is as old as it admits to be.

use super::error::VenueError;
use super::espn::Arrival;
use super::league::League;
use super::tls::Trust;
use reqwest::StatusCode;
use reqwest::header::{AGE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use std::time::Duration;
use url::Url;

/// Longest wait for a whole document.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How far the feed's clock may be behind ours before its documents count as old: they are stamped in whole
/// seconds, and nobody sets a server's clock for us.
const DATE_BOUND_NS: u64 = 3_000_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// Polls one league's scoreboard.
#[derive(Debug)]
pub struct EspnClient {
    http: reqwest::Client,
    url: Url,
    league: League,
    etag: Option<HeaderValue>,
    /// The last document.
    last: Vec<u8>,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The document is as it was, to the byte, whether or not it was sent again.
    Unchanged(Arrival),
    /// A document.
    Document(Vec<u8>, Arrival),
}

impl EspnClient {
    /// A client for a league of the feed at `base`, such as `https://.../apis/site/v2/sports`.
    ///
    /// # Errors
    ///
    /// When the address is none, or its encryption cannot be had.
    pub fn new(base: &str, league: League, trust: &Trust) -> Result<Self, VenueError> {
        let address = |reason: String| VenueError::Address {
            address: base.to_owned(),
            reason,
        };
        let text = format!("{}/{}/scoreboard", base.trim_end_matches('/'), league.path);
        let mut url = Url::parse(&text).map_err(|error| address(error.to_string()))?;
        url.set_query(Some(league.query).filter(|query| !query.is_empty()));
        let http = trust
            .http(base)?
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self {
            http,
            url,
            league,
            etag: None,
            last: Vec::new(),
        })
    }

    /// The league.
    #[must_use]
    pub fn league(&self) -> League {
        self.league
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// When the feed does not answer in time, or not with a document.
    pub async fn poll(&mut self) -> Result<Poll, VenueError> {
        let request = || format!("GET {}", self.league.path);
        let transport = |error: reqwest::Error| VenueError::Transport {
            request: request(),
            reason: error.without_url().to_string(),
        };
        let mut get = self.http.get(self.url.clone());
        if let Some(etag) = &self.etag {
            get = get.header(IF_NONE_MATCH, etag);
        }
        let response = get.send().await.map_err(transport)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Poll::Unchanged(arrival(response.headers())));
        }
        if !status.is_success() {
            let (code, details) = (String::new(), String::new());
            return Err(VenueError::Refused {
                request: request(),
                status: status.as_u16(),
                code,
                details,
            });
        }
        let headers = response.headers().clone();
        let document = response.bytes().await.map_err(transport)?.to_vec();
        self.etag = headers.get(ETAG).cloned();
        if document == self.last {
            return Ok(Poll::Unchanged(arrival(&headers)));
        }
        self.last.clone_from(&document);
        Ok(Poll::Document(document, arrival(&headers)))
    }

    /// The last document could not be used: ask for it again, whole.
    pub fn forget(&mut self) {
        self.etag = None;
        self.last.clear();
    }
}

/// When what has just come was true: now, less what it admits to be old.
fn arrival(headers: &HeaderMap) -> Arrival {
    let (mono_ns, unix_ns) = (ipc::clock::mono_ns(), ipc::clock::unix_ns());
    let old_ns = old_ns(headers, unix_ns);
    Arrival {
        mono_ns: mono_ns.saturating_sub(old_ns),
        unix_us: unix_ns.saturating_sub(old_ns) / 1_000,
    }
}

/// How old an answer says it is. A header that cannot be read says nothing.
fn old_ns(headers: &HeaderMap, now_unix_ns: u64) -> u64 {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let cached = text(AGE).and_then(|age| age.trim().parse::<u64>().ok());
    let stamped = text(DATE).and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let stamped_ns = stamped.and_then(|date| u64::try_from(date.timestamp().as_nanosecond()).ok());
    let since_stamped = stamped_ns.map_or(0, |stamped| {
        now_unix_ns.saturating_sub(stamped.saturating_add(DATE_BOUND_NS))
    });
    cached
        .unwrap_or(0)
        .saturating_mul(NS_PER_S)
        .max(since_stamped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::league::LEAGUES;
    use axum::http::{HeaderMap, StatusCode, Uri};
    use axum::{Router, response::IntoResponse};

    /// A feed with one version of its document.
    async fn feed() -> String {
        let handler = |uri: Uri, headers: HeaderMap| async move {
            if uri.path() == "/sports/hockey/nhl/scoreboard" {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            match headers.get(IF_NONE_MATCH) {
                Some(tag) if tag == "\"v1\"" => StatusCode::NOT_MODIFIED.into_response(),
                _ => ([(ETAG, "\"v1\"")], uri.to_string()).into_response(),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}/sports", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        base
    }

    #[tokio::test]
    async fn a_document_is_fetched_once_until_it_changes() {
        let mut client =
            EspnClient::new(&feed().await, LEAGUES[3], &Trust::none()).expect("a client");
        let path = "/sports/basketball/mens-college-basketball/scoreboard?groups=50&limit=400";
        for round in ["first", "after it could not be read"] {
            let Ok(Poll::Document(document, arrival)) = client.poll().await else {
                panic!("{round}")
            };
            assert_eq!(document, path.as_bytes(), "all games are asked for");
            assert!(arrival.mono_ns > 0 && arrival.unix_us > 0);
            assert!(
                matches!(client.poll().await, Ok(Poll::Unchanged(again)) if again.mono_ns >= arrival.mono_ns)
            );
            client.forget();
        }
    }

    /// A cache that serves what it has kept, under a new name each time.
    #[tokio::test]
    async fn what_a_cache_has_kept_is_as_old_as_it_says_and_no_news() {
        let handler = || async {
            let tag = format!("\"{}\"", ipc::clock::mono_ns());
            ([(ETAG, tag), (AGE, "40".to_owned())], "{}")
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let mut client = EspnClient::new(&base, LEAGUES[0], &Trust::none()).expect("a client");
        let before = ipc::clock::mono_ns();
        let Ok(Poll::Document(_, arrival)) = client.poll().await else {
            panic!("new")
        };
        let then = before - 40 * NS_PER_S;
        assert!((then..then + 20 * NS_PER_S).contains(&arrival.mono_ns));
        assert!(matches!(client.poll().await, Ok(Poll::Unchanged(_))));
    }

    #[test]
    fn an_answer_is_as_old_as_its_age_and_its_date_say() {
        let now_unix_ns = 784_111_777 * NS_PER_S;
        let headers = |age: &'static str, date: &'static str| {
            let pairs = [(AGE, age), (DATE, date)].into_iter();
            let pairs = pairs.filter(|(_, text)| !text.is_empty());
            pairs
                .map(|(name, text)| (name, HeaderValue::from_static(text)))
                .collect::<HeaderMap>()
        };
        // RFC 9110's own example is the moment.
        let (now, minute_ago) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:48:37 GMT",
        );
        for (age, date, old_s) in [
            ("", "", 0),
            ("", now, 0),
            ("0", now, 0),
            ("7", now, 7),
            ("7", minute_ago, 57),
            ("90", minute_ago, 90),
            ("soon", "yesterday", 0),
            // A clock that is ahead of ours makes nothing newer than it is.
            ("7", "Sun, 06 Nov 1994 08:59:37 GMT", 7),
        ] {
            let old = old_ns(&headers(age, date), now_unix_ns);
            assert_eq!(old, old_s * NS_PER_S, "{age} {date}");
        }
    }

    #[tokio::test]
    async fn a_feed_in_trouble_is_an_error() {
        let mut client =
            EspnClient::new(&feed().await, LEAGUES[4], &Trust::none()).expect("a client");
        assert_eq!(
            client.poll().await.expect_err("refused").status(),
            Some(502)
        );
        let mut client =
            EspnClient::new("http://127.0.0.1:1", LEAGUES[0], &Trust::none()).expect("a client");
        assert!(matches!(
            client.poll().await,
            Err(VenueError::Transport { .. })
        ));
        assert!(EspnClient::new("nowhere", LEAGUES[0], &Trust::none()).is_err());
    }
}
