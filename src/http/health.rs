//! Whether the process lives, and whether it knows enough to be asked; from memory alone.
//!
//! The network that is measured has no part in it: a broken network must not end its witness.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::task::{self, Task, Uptime};

/// After this long what is known is served, however little it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the answers are made of.
pub struct Health {
    /// The tasks whose heartbeats are looked at.
    pub tasks: Vec<Task>,
    /// Whether the first report is there, or what else makes a role ready.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// Since when the process runs.
    pub uptime: Uptime,
}

/// Returns `/livez`, `/readyz`, and the names that Prometheus' own servers use for them.
pub fn routes(health: Health) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/-/healthy", get(live))
        .route("/readyz", get(ready))
        .route("/-/ready", get(ready))
        .with_state(Arc::new(health))
}

async fn live(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    match task::silent(&health.tasks) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some((task, silence)) => {
            let text = format!("{task} has given no sign of life for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if (health.ready)() || health.uptime.now().uptime >= PATIENCE {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "there is no report yet\n")
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tokio::time::advance;
    use tower::ServiceExt;

    use super::*;

    async fn ask(routes: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    fn health(ready: bool) -> (Task, Router) {
        let task = Task::beating("tick", Duration::from_secs(30));
        let uptime = Uptime::start();
        let health = Health { tasks: vec![task.clone()], ready: Box::new(move || ready), uptime };
        (task, routes(health))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_task_ends_life_and_is_named() {
        let (task, routes) = health(true);
        for path in ["/livez", "/-/healthy"] {
            assert_eq!(ask(&routes, path).await, (200, "ok\n".to_owned()));
        }
        advance(Duration::from_secs(31)).await;
        let silent = "tick has given no sign of life for 31 s\n".to_owned();
        for path in ["/livez", "/-/healthy"] {
            assert_eq!(ask(&routes, path).await, (503, silent.clone()));
        }
        task.beat();
        assert_eq!(ask(&routes, "/livez").await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_waits_for_the_first_report_but_no_longer_than_a_minute() {
        let (_task, with_report) = health(true);
        let (_task, without) = health(false);
        for path in ["/readyz", "/-/ready"] {
            assert_eq!(ask(&with_report, path).await.0, 200);
            assert_eq!(ask(&without, path).await, (503, "there is no report yet\n".to_owned()));
        }
        advance(PATIENCE).await;
        assert_eq!(ask(&without, "/readyz").await.0, 200);
    }
}
