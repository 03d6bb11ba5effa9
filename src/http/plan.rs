//! `/v1/plan`: what one agent is to probe.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::model::{Agent, Name, Vantage};
use crate::plan::Book;

#[derive(Deserialize)]
struct Asking {
    node: String,
    #[serde(default)]
    vantage: Vantage,
}

/// Returns the route; until the first report there is no plan.
pub fn routes(book: Arc<ArcSwapOption<Book>>) -> Router {
    Router::new().route("/v1/plan", get(answer)).with_state(book)
}

async fn answer(
    State(book): State<Arc<ArcSwapOption<Book>>>,
    Query(Asking { node, vantage }): Query<Asking>,
) -> Response {
    let Some(book) = &*book.load() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no plan yet: ask again\n").into_response();
    };
    let plan = book.plan(&Agent { node: Name::from(node), vantage });
    match serde_json::to_vec(&plan) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "a plan cannot be written");
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
    use crate::model::Plan;

    async fn ask(book: Option<Book>, query: &str) -> (StatusCode, Vec<u8>) {
        let book = Arc::new(ArcSwapOption::new(book.map(Arc::new)));
        let request = Request::get(format!("/v1/plan{query}")).body(Body::empty()).unwrap();
        let response = routes(book).oneshot(request).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), 1 << 20).await.unwrap().into())
    }

    #[tokio::test]
    async fn an_agent_gets_its_plan_once_there_is_one() {
        let (status, body) = ask(Some(Book::default()), "?node=n1&vantage=host").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(serde_json::from_slice::<Plan>(&body).unwrap(), Plan::default());
        assert_eq!(ask(None, "?node=n1").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(Some(Book::default()), "").await.0, StatusCode::BAD_REQUEST);
        let odd = ask(Some(Book::default()), "?node=n1&vantage=moon").await;
        assert_eq!(odd.0, StatusCode::BAD_REQUEST);
    }
}
