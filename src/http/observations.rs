//! `/v1/observations`: what an agent saw, for the cluster role that asks.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::wire;
use crate::model::Observation;

/// Returns what is known now, from memory.
pub type Observe = Arc<dyn Fn() -> Observation + Send + Sync>;

/// Returns the route.
pub fn routes(observe: Observe) -> Router {
    Router::new().route("/v1/observations", get(answer)).with_state(observe)
}

async fn answer(State(observe): State<Observe>) -> Response {
    match wire::write(&observe()) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "an observation cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_what_is_read() {
        let observation = Observation { version: Some("7".to_owned()), ..Observation::default() };
        let routes = routes(Arc::new(move || observation.clone()));
        let request = Request::get("/v1/observations").body(Body::empty()).unwrap();
        let response = routes.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let read: Observation = wire::read(&body).unwrap();
        assert_eq!(read.version.as_deref(), Some("7"));
    }
}
