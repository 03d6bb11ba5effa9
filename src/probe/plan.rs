//! Fetches the plan: from the cluster role, over whichever of its addresses answers.
//!
//! The last plan stays in use for as long as no other can be had.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use tokio::net::lookup_host;
use tokio::sync::watch::Sender;
use tokio::time::{Instant, sleep, timeout};

use crate::host::readings::{Readings, Source};
use crate::http::get::get;
use crate::model::{Agent, Plan};

/// Between two questions, give or take a fifth.
const INTERVAL: Duration = Duration::from_secs(15);

/// The same for an agent that never had a plan.
const EAGER: Duration = Duration::from_secs(3);

/// For the name, and again for the plan.
const DEADLINE: Duration = Duration::from_secs(2);

/// The largest plan.
const MOST: usize = 256 * 1024;

/// What fetching works with; clones share it.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where the plan is, as `http://host:port`, in the order in which they are tried.
    pub urls: Vec<String>,
    /// Whose plan.
    pub agent: Agent,
    /// Where it goes, when it has changed.
    pub plan: Sender<Option<Arc<Plan>>>,
    /// When it was last got.
    pub got: Arc<Mutex<Option<Instant>>>,
    /// Where failures are counted.
    pub readings: Arc<Readings>,
}

impl Fetch {
    /// Asks again and again.
    pub async fn run(self, mut alive: impl FnMut()) {
        loop {
            alive();
            if !self.urls.is_empty()
                && let Some(new) = self.readings.read(Source::Plan, self.fetch().await)
            {
                *self.lock() = Some(Instant::now());
                self.plan.send_if_modified(|old| {
                    let modified = old.as_deref() != Some(&new);
                    *old = Some(Arc::new(new));
                    modified
                });
            }
            let interval = if self.age().is_some() { INTERVAL } else { EAGER };
            sleep(interval.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
        }
    }

    /// Returns the time since a plan was last got.
    pub fn age(&self) -> Option<Duration> {
        self.lock().map(|got| got.elapsed())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks one address after the other.
    async fn fetch(&self) -> Result<Plan, String> {
        let mut errors = Vec::new();
        for url in &self.urls {
            match self.ask(url).await {
                Ok(plan) => return Ok(plan),
                Err(error) => errors.push(format!("{url}: {error}")),
            }
        }
        Err(errors.join("; "))
    }

    async fn ask(&self, url: &str) -> Result<Plan, String> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http"));
        let host = host.ok_or("it does not begin with http://")?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(80);
        let found = timeout(DEADLINE, lookup_host((host, port))).await;
        let found = found.map_err(|_| "the name was not resolved in time".to_owned())?;
        let target = found.map_err(|error| format!("the name cannot be resolved: {error}"))?.next();
        let target = target.ok_or("the name has no address")?;
        let (node, vantage) = (escaped(&self.agent.node), self.agent.vantage.as_str());
        let path = format!("/v1/plan?node={node}&vantage={vantage}");
        let body = get(target, &path, DEADLINE, MOST).await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&body).map_err(|error| format!("the answer is no plan: {error}"))
    }
}

/// Writes `text` for a query: nodes have simple names, flags may not.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::RawQuery;
    use axum::http::StatusCode;
    use axum::routing::get as route;
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;
    use crate::model::{NodeTarget, Vantage};

    fn fetch(urls: Vec<String>) -> (Fetch, watch::Receiver<Option<Arc<Plan>>>) {
        let agent = Agent { node: "n 1".into(), vantage: Vantage::Host };
        let (plan, seen) = watch::channel(None);
        let readings = Arc::new(Readings::new(agent.clone()));
        (Fetch { urls, agent, plan, got: Arc::default(), readings }, seen)
    }

    async fn served(routes: Router) -> (String, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = async move { axum::serve(listener, routes).await.unwrap() };
        (url, AbortOnDropHandle::new(tokio::spawn(serve)))
    }

    #[tokio::test]
    async fn the_first_address_that_has_a_plan_gives_it() {
        let peer = NodeTarget { node: "n2".into(), address: "10.0.0.2:1".parse().unwrap() };
        let plan = Plan { peers: vec![peer], ..Plan::default() };
        let json = serde_json::to_string(&plan).unwrap();
        let answer = |RawQuery(query): RawQuery| async move {
            assert_eq!(query.as_deref(), Some("node=n%201&vantage=host"));
            json
        };
        let (url, _serving) = served(Router::new().route("/v1/plan", route(answer))).await;
        let busy = route(|| async { StatusCode::SERVICE_UNAVAILABLE });
        let (busy, _busy) = served(Router::new().route("/v1/plan", busy)).await;
        let (fetch, mut seen) = fetch(vec!["http://127.0.0.1:1".into(), busy, url]);
        assert_eq!(fetch.age(), None);
        let _running = AbortOnDropHandle::new(tokio::spawn(fetch.clone().run(|| {})));
        seen.changed().await.unwrap();
        assert_eq!(seen.borrow().as_deref(), Some(&plan));
        assert!(fetch.age().is_some());
    }

    #[tokio::test]
    async fn every_address_says_why_it_has_none() {
        let odd = route(|| async { "{\"peers\": 7}" });
        let (odd, _odd) = served(Router::new().route("/v1/plan", odd)).await;
        let urls = ["http://127.0.0.1:1", "https://127.0.0.1", "http://[::1]:1", "::", &odd];
        let (fetch, _) = fetch(urls.map(str::to_owned).into());
        let error = fetch.fetch().await.unwrap_err();
        for part in [
            "http://127.0.0.1:1: cannot connect: Connection refused (os error 111); ",
            "https://127.0.0.1: it does not begin with http://; ",
            "http://[::1]:1: cannot connect: Connection refused",
            "::: it is no URL; ",
            ": the answer is no plan: invalid type: integer `7`",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}
