//! `/v1/report`: the last report as JSON; one that is no longer true is not given.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::latest::{Current, Latest};
use crate::report::json;
use crate::task::process;

/// Returns the route.
pub fn routes(latest: Arc<Latest>) -> Router {
    Router::new().route("/v1/report", get(answer)).with_state(latest)
}

async fn answer(State(latest): State<Arc<Latest>>) -> Response {
    let report = match latest.current() {
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
