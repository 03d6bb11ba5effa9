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

/// Whether a role knows enough to be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// Not yet; after a while what it knows has to be enough.
    Early,
    /// It knows nothing, for a reason that time does not take away.
    Blind(&'static str),
}

/// What the answers are made of.
pub struct Health {
    /// The tasks whose heartbeats are looked at.
    pub tasks: Vec<Task>,
    /// Whether the role knows enough to be asked.
    pub ready: Box<dyn Fn() -> Readiness + Send + Sync>,
    /// Since when the process runs.
    pub uptime: Uptime,
}

/// The paths: two of Kubernetes, and the names that Prometheus' own servers use for them.
pub(super) const PATHS: [&str; 4] = ["/livez", "/-/healthy", "/readyz", "/-/ready"];

/// Returns the routes.
pub fn routes(health: Health) -> Router {
    let [live_path, healthy, ready_path, also_ready] = PATHS;
    Router::new()
        .route(live_path, get(live))
        .route(healthy, get(live))
        .route(ready_path, get(ready))
        .route(also_ready, get(ready))
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

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    match (health.ready)() {
        Readiness::Blind(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        Readiness::Early if health.uptime.now().uptime < PATIENCE => {
            (StatusCode::SERVICE_UNAVAILABLE, "there is no report yet\n".to_owned())
        }
        Readiness::Early | Readiness::Ready => (StatusCode::OK, "ok\n".to_owned()),
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

    fn health(ready: Readiness) -> (Task, Router) {
        let task = Task::beating("tick", Duration::from_secs(30));
        let uptime = Uptime::start();
        let health = Health { tasks: vec![task.clone()], ready: Box::new(move || ready), uptime };
        (task, routes(health))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_task_ends_life_and_is_named() {
        let (task, routes) = health(Readiness::Ready);
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
    async fn readiness_waits_a_minute_for_the_first_report_and_for_ever_where_nothing_is_seen() {
        let (_task, with_report) = health(Readiness::Ready);
        let (_task, without) = health(Readiness::Early);
        for path in ["/readyz", "/-/ready"] {
            assert_eq!(ask(&with_report, path).await.0, 200);
            assert_eq!(ask(&without, path).await, (503, "there is no report yet\n".to_owned()));
        }
        let (_task, blind) = health(Readiness::Blind("nothing is to be seen"));
        advance(PATIENCE).await;
        assert_eq!(ask(&without, "/readyz").await.0, 200);
        assert_eq!(ask(&blind, "/readyz").await, (503, "nothing is to be seen\n".to_owned()));
    }
}
