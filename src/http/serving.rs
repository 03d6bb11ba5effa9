//! What holds for every request: a place, a deadline, no body; and what is said of those that
//! lead nowhere.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::counters::Rejected;
use super::gate::Gate;
use super::health;
use super::seats::Busy;

/// Closes the connection with the answer.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What requests are served by.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) gate: Gate,
    pub(super) stop: CancellationToken,
}

/// Answers one request.
pub(super) async fn serve(
    State(Serving { gate, stop }): State<Serving>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let seat = gate.seat(peer);
    let (spare, busy) = (seat.as_ref().is_some_and(|seat| seat.spare), seat.map(|it| it.begin()));
    let refused = if spare && !health::PATHS.contains(&request.uri().path()) {
        Some(Rejected::Connections)
    } else if has_body(&request) {
        Some(Rejected::Body)
    } else {
        None
    };
    let answered = match refused {
        Some(why) => Err(why),
        None => timeout(gate.limits.answer, next.run(request)).await.map_err(|_| Rejected::Late),
    };
    let closes = spare || answered.is_err() || stop.is_cancelled();
    let mut response = answered.unwrap_or_else(|why| {
        gate.counts.reject(why);
        refusal(why)
    });
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if closes {
        response.headers_mut().insert(CONNECTION, CLOSE);
    }
    response.map(|body| Body::new(Answer { body, _busy: busy }))
}

fn refusal(why: Rejected) -> Response {
    let again = [(RETRY_AFTER, "1")];
    match why {
        Rejected::Body => {
            (StatusCode::PAYLOAD_TOO_LARGE, "no request takes a body\n").into_response()
        }
        Rejected::Late => {
            (StatusCode::GATEWAY_TIMEOUT, "there is no answer in time\n").into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, again, "too many connections: ask again\n")
            .into_response(),
    }
}

/// None of ours takes one.
fn has_body(request: &Request) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING)
}

pub(super) async fn nothing_here() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there is nothing here: / leads to all that is\n")
}

pub(super) async fn only_get() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "it is only read: ask by GET\n")
}

/// The body of an answer, which is under way for as long as there is one.
struct Answer {
    body: Body,
    _busy: Option<Busy>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
