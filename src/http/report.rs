//! `/v1/report`: the last report as JSON; one that is no longer true is not given.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::pages::{Current, Shown};
use crate::report::json;
use crate::task::process;

pub(super) fn routes(shown: Arc<Shown>) -> Router {
    Router::new().route("/v1/report", get(answer)).with_state(shown)
}

async fn answer(State(shown): State<Arc<Shown>>) -> Response {
    let report = match shown.current() {
        Current::Fresh(report) => report,
        Current::Old(_, age) => {
            let text = format!("the last report is {} s old: read the log\n", age.as_secs());
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
        Current::None => {
            return (StatusCode::SERVICE_UNAVAILABLE, "no report yet: ask again\n").into_response();
        }
    };
    match json::write(&report, process::VERSION) {
        Ok(body) => ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body)
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "a report cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
