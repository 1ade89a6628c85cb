//! The feed's HTTP side: one conditional request for one league.

use super::error::VenueError;
use super::espn::Arrival;
use super::league::League;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use std::time::Duration;
use url::Url;

/// Longest wait for a whole document.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls one league's scoreboard.
#[derive(Debug)]
pub struct EspnClient {
    http: reqwest::Client,
    url: Url,
    league: League,
    etag: Option<HeaderValue>,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The document is as it was.
    Unchanged(Arrival),
    /// A document.
    Document(Vec<u8>, Arrival),
}

impl EspnClient {
    /// A client for a league of the feed at `base`, such as `https://.../apis/site/v2/sports`.
    pub fn new(base: &str, league: League) -> Result<Self, VenueError> {
        let address = |reason: String| VenueError::Address {
            address: base.to_owned(),
            reason,
        };
        let text = format!("{}/{}/scoreboard", base.trim_end_matches('/'), league.path);
        let mut url = Url::parse(&text).map_err(|error| address(error.to_string()))?;
        url.set_query(Some(league.query).filter(|query| !query.is_empty()));
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self {
            http,
            url,
            league,
            etag: None,
        })
    }

    /// The league.
    #[must_use]
    pub fn league(&self) -> League {
        self.league
    }

    /// Asks once.
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
            return Ok(Poll::Unchanged(arrival()));
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
        let etag = response.headers().get(ETAG).cloned();
        let document = response.bytes().await.map_err(transport)?.to_vec();
        self.etag = etag;
        Ok(Poll::Document(document, arrival()))
    }

    /// The last document could not be used: ask for it again, whole.
    pub fn forget(&mut self) {
        self.etag = None;
    }
}

fn arrival() -> Arrival {
    let unix_us = jiff::Timestamp::now().as_microsecond();
    Arrival {
        mono_ns: ipc::clock::mono_ns(),
        unix_us: u64::try_from(unix_us).unwrap_or(0),
    }
}
