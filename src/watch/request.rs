//! One request for a kind, and the lines of its answer.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Buf, Bytes};
use hyper::header::RETRY_AFTER;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::core::params::{ListParams, WatchParams};
use tokio::time::{Instant, timeout, timeout_at};

use super::counts::{Counts, Verb};
use super::object::Status;
use super::trouble::{Trouble, chain, one_line};
use crate::model::Kind;

/// A page, or a line, that is larger than this is not read to its end.
const MOST_PAGE: usize = 64 << 20;
const MOST_LINE: usize = 8 << 20;

/// Between two lines, the buffer keeps at most this.
const KEPT: usize = 1 << 20;

/// What is read of a refusal, and for how long.
const MOST_REFUSAL: usize = 64 << 10;
const REFUSAL: Duration = Duration::from_secs(5);

/// One kind of one API server.
pub(super) struct Source {
    client: Client,
    kind: &'static Kind,
    pub(super) counts: Arc<Counts>,
}

impl Source {
    pub(super) fn new(client: Client, kind: &'static Kind, counts: Arc<Counts>) -> Self {
        Self { client, kind, counts }
    }

    /// Asks for at most `limit` objects, from `next` on, to come whole within `patience`.
    pub(super) async fn page(
        &self,
        limit: u32,
        next: Option<String>,
        patience: Duration,
    ) -> Result<Bytes, Trouble> {
        let parameters =
            ListParams { limit: Some(limit), continue_token: next, ..ListParams::default() };
        let request = self.path().list(&parameters);
        let whole = async {
            let response = self.send(Verb::List, request, patience).await?;
            let body = Limited::new(response.into_body(), MOST_PAGE).collect().await;
            body.map(|body| body.to_bytes()).map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    Trouble::Oversized
                } else {
                    Trouble::Unreachable(chain(&*error))
                }
            })
        };
        timeout(patience, whole).await.unwrap_or(Err(Trouble::Silent))
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
    ) -> Result<Lines, Trouble> {
        let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX);
        let parameters = WatchParams {
            timeout: Some(seconds),
            send_initial_events: all,
            ..WatchParams::default()
        };
        let request = self.path().watch(&parameters, version);
        let response = self.send(Verb::Watch, request, patience).await?;
        Ok(Lines { body: response.into_body(), frame: Bytes::new(), line: Vec::new() })
    }

    fn path(&self) -> kube::core::Request {
        let Kind { group, version, plural, .. } = self.kind;
        kube::core::Request::new(match *group {
            "" => format!("/api/{version}/{plural}"),
            group => format!("/apis/{group}/{version}/{plural}"),
        })
    }

    /// Sends a request, counts it, and tells an answer from a refusal.
    async fn send(
        &self,
        verb: Verb,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        patience: Duration,
    ) -> Result<Response<Body>, Trouble> {
        let request = request.map_err(|error| Trouble::Garbled(chain(&error)))?;
        let sent = timeout(patience, self.client.send(request.map(Body::from))).await;
        let code = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok()).map(Response::status);
        self.counts.of(self.kind).request(verb, code.map(|code| code.as_u16()));
        let response = sent
            .map_err(|_| Trouble::Silent)?
            .map_err(|error| Trouble::Unreachable(chain(&error)))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

async fn refusal(response: Response<Body>) -> Trouble {
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
    Trouble::Refused { code: code.as_u16(), message, retry_after }
}

/// The answer to a watch, line by line.
pub(super) struct Lines {
    body: Body,
    frame: Bytes,
    line: Vec<u8>,
}

impl Lines {
    /// Returns the next line, if it comes before `deadline`; none at the end.
    pub(super) async fn next(&mut self, deadline: Instant) -> Result<Option<&[u8]>, Trouble> {
        self.line.clear();
        self.line.shrink_to(KEPT);
        loop {
            // Of all of std, this has the fast search for a byte.
            let taken = (&*self.frame)
                .read_until(b'\n', &mut self.line)
                .expect("reading memory does not fail");
            self.frame.advance(taken);
            if self.line.len() > MOST_LINE {
                return Err(Trouble::Oversized);
            }
            if self.line.ends_with(b"\n") {
                return Ok(Some(&self.line));
            }
            let frame =
                timeout_at(deadline, self.body.frame()).await.map_err(|_| Trouble::Silent)?;
            match frame {
                // A line without an end is half an event.
                None => return Ok(None),
                Some(Ok(frame)) => self.frame = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(Trouble::Unreachable(chain(&error))),
            }
        }
    }
}
