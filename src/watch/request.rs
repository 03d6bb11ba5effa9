//! One request for a kind, and the lines of its answer.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Buf, Bytes};
use hyper::header::RETRY_AFTER;
use hyper::http::request::Builder;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::core::params::{ListParams, WatchParams};
use tokio::time::{Instant, timeout, timeout_at};

use super::counters::{Counters, Verb};
use super::error::{WatchError, chain, one_line};
use super::object::Status;
use crate::model::Kind;

/// A page, or a line, that is larger than this is not read to its end.
const MOST_PAGE: usize = 64 << 20;
const MOST_LINE: usize = 8 << 20;

/// Between two lines, the buffer keeps at most this.
const KEPT: usize = 1 << 20;

/// What is read of a refusal, and for how long.
const MOST_REFUSAL: usize = 64 << 10;
const REFUSAL: Duration = Duration::from_secs(5);

/// One kind of one API server, in one version.
pub(super) struct Resource {
    client: Client,
    kind: &'static Kind,
    version: &'static str,
    pub(super) counts: Arc<Counters>,
}

impl Resource {
    pub(super) fn new(
        client: Client,
        kind: &'static Kind,
        version: &'static str,
        counts: Arc<Counters>,
    ) -> Self {
        Self { client, kind, version, counts }
    }

    /// Asks for at most `limit` objects, from `next` on, to come whole within `patience`.
    pub(super) async fn page(
        &self,
        limit: u32,
        next: Option<String>,
        patience: Duration,
    ) -> Result<Bytes, WatchError> {
        let parameters = ListParams {
            limit: Some(limit),
            continue_token: next,
            field_selector: self.kind.selector(),
            ..ListParams::default()
        };
        let request = self.path().list(&parameters);
        let end = Instant::now() + patience;
        let response = self.send(Verb::List, request, patience).await?;
        whole(response, end - Instant::now()).await
    }

    /// Asks for what happens from `version` on, and before that, if `all`, for every object.
    ///
    /// The server ends it after `length`; its head has to come within `patience`.
    pub(super) async fn watch(
        &self,
        version: &str,
        all: bool,
        length: Duration,
        patience: Duration,
    ) -> Result<Lines, WatchError> {
        let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX);
        let parameters = WatchParams {
            timeout: Some(seconds),
            send_initial_events: all,
            field_selector: self.kind.selector(),
            ..WatchParams::default()
        };
        let request = self.path().watch(&parameters, version);
        let response = self.send(Verb::Watch, request, patience).await?;
        Ok(Lines { body: response.into_body(), frame: Bytes::new(), line: Vec::new() })
    }

    fn path(&self) -> kube::core::Request {
        kube::core::Request::new(self.kind.path(self.version))
    }

    /// Sends a request, counts it, and tells an answer from a refusal.
    async fn send(
        &self,
        verb: Verb,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        patience: Duration,
    ) -> Result<Response<Body>, WatchError> {
        let request = request.map_err(|error| WatchError::Garbled(chain(&error)))?;
        let sent = timeout(patience, self.client.send(request.map(Body::from))).await;
        let code = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok()).map(Response::status);
        self.counts.of(self.kind).request(verb, code.map(|code| code.as_u16()));
        let response = sent
            .map_err(|_| WatchError::Silent)?
            .map_err(|error| WatchError::Unreachable(chain(&error)))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

/// Sends a request, whose answer has to begin within `patience`.
pub(super) async fn answer(
    client: &Client,
    request: Builder,
    patience: Duration,
) -> Result<Response<Body>, WatchError> {
    let request = request.body(Body::empty());
    let request = request.map_err(|error| WatchError::Garbled(chain(&error)))?;
    let sent = timeout(patience, client.send(request)).await;
    sent.map_err(|_| WatchError::Silent)?.map_err(|error| WatchError::Unreachable(chain(&error)))
}

/// Reads an answer to its end, which has to come within `patience`.
pub(super) async fn whole(
    response: Response<Body>,
    patience: Duration,
) -> Result<Bytes, WatchError> {
    let body = timeout(patience, Limited::new(response.into_body(), MOST_PAGE).collect()).await;
    body.map_err(|_| WatchError::Silent)?.map(|body| body.to_bytes()).map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            WatchError::Oversized
        } else {
            WatchError::Unreachable(chain(&*error))
        }
    })
}

pub(super) async fn refusal(response: Response<Body>) -> WatchError {
    let code = response.status();
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let body = timeout(REFUSAL, Limited::new(response.into_body(), MOST_REFUSAL).collect());
    let body = body.await.ok().and_then(Result::ok).map(|body| body.to_bytes());
    // A proxy on the way may answer with a page of its own.
    let status: Status =
        body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let retry_after = seconds.or_else(|| status.retry_after());
    let message = if status.message.is_empty() {
        code.canonical_reason().unwrap_or_default().to_owned()
    } else {
        one_line(&status.message)
    };
    WatchError::Refused { code: code.as_u16(), message, retry_after }
}

/// The answer to a watch, line by line.
pub(super) struct Lines {
    body: Body,
    frame: Bytes,
    line: Vec<u8>,
}

impl Lines {
    /// Returns the next line, if it comes before `deadline`; none at the end.
    pub(super) async fn next(&mut self, deadline: Instant) -> Result<Option<&[u8]>, WatchError> {
        self.line.clear();
        self.line.shrink_to(KEPT);
        loop {
            // Of all of std, this has the fast search for a byte.
            let taken = (&*self.frame)
                .read_until(b'\n', &mut self.line)
                .expect("reading memory does not fail");
            self.frame.advance(taken);
            if self.line.len() > MOST_LINE {
                return Err(WatchError::Oversized);
            }
            if self.line.ends_with(b"\n") {
                return Ok(Some(&self.line));
            }
            let frame =
                timeout_at(deadline, self.body.frame()).await.map_err(|_| WatchError::Silent)?;
            match frame {
                // A line without an end is half an event.
                None => return Ok(None),
                Some(Ok(frame)) => self.frame = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(WatchError::Unreachable(chain(&error))),
            }
        }
    }
}
