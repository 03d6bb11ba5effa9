//! `/v1/plan`: what one agent is to probe.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::wire;
use crate::model::{Agent, Name, Vantage};
use crate::plan::Plans;

#[derive(Deserialize)]
struct Asking {
    node: String,
    #[serde(default)]
    vantage: Vantage,
}

/// Returns the route; until the API has answered there is no plan.
pub fn routes(plans: Arc<ArcSwapOption<Plans>>) -> Router {
    Router::new().route("/v1/plan", get(answer)).with_state(plans)
}

/// What is said until there is a plan.
const NOT_YET: &str = "no plan yet, because the Kubernetes API has not yet answered for all that \
                       one is made of: ask again; netvitals_source_up on /metrics says what is \
                       missing\n";

/// What is said to a client that does not say whose plan it wants.
const ASK_SO: &str = "whose plan? ask for /v1/plan?node=NAME&vantage=pod, or vantage=host\n";

async fn answer(
    State(plans): State<Arc<ArcSwapOption<Plans>>>,
    asking: Result<Query<Asking>, QueryRejection>,
) -> Response {
    let Ok(Query(Asking { node, vantage })) = asking else {
        return (StatusCode::BAD_REQUEST, ASK_SO).into_response();
    };
    let Some(plans) = &*plans.load() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], NOT_YET).into_response();
    };
    let plan = plans.plan(&Agent { node: Name::from(node), vantage });
    match wire::write(&plan) {
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

    async fn ask(plans: Option<Plans>, query: &str) -> Response {
        let plans = Arc::new(ArcSwapOption::new(plans.map(Arc::new)));
        let request = Request::get(format!("/v1/plan{query}")).body(Body::empty()).unwrap();
        routes(plans).oneshot(request).await.unwrap()
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), 1 << 20).await.unwrap().into()
    }

    #[tokio::test]
    async fn an_agent_gets_its_plan() {
        let answer = ask(Some(Plans::default()), "?node=n1&vantage=host").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(wire::read::<Plan>(&body(answer).await), Ok(Plan::default()));
        for odd in ["", "?node=n1&vantage=moon"] {
            let answer = ask(Some(Plans::default()), odd).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{odd}");
            assert_eq!(body(answer).await, ASK_SO.as_bytes());
        }
    }

    #[tokio::test]
    async fn until_there_is_a_plan_an_agent_is_told_to_come_again_soon() {
        let answer = ask(None, "?node=n1").await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        assert_eq!(body(answer).await, NOT_YET.as_bytes());
    }
}
