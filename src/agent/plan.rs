//! Fetches the plan: from the cluster role, over whichever of its addresses answers.
//!
//! The last plan stays in use for as long as no other can be had.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use tokio::sync::watch::Sender;
use tokio::time::{Instant, sleep};

use super::readings::{Input, Readings};
use super::{Context, Part, Running};
use crate::http::get::{Failed, get};
use crate::http::{lookup, wire};
use crate::model::{Agent, Group, Plan, Unreadable, Vantage};
use crate::task::Backoff;

/// Fetches the plan; without one an agent asks what it knows by itself.
pub static PART: Part = Part { vantages: &Vantage::ALL, switches: Vec::new, families: &[], start };

/// Between two questions, give or take a fifth.
const INTERVAL: Duration = Duration::from_secs(15);

/// The same for an agent that never had a plan.
const EAGER: Duration = Duration::from_secs(3);

/// What a cluster role answers that does not know the cluster yet: it soon will.
const NOT_YET: u16 = 503;

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

/// Why there is no plan.
#[derive(Debug, Default, PartialEq)]
struct Missing {
    /// Whether a cluster role answers that will have one soon.
    soon: bool,
    /// For the log.
    why: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<String> for Missing {
    fn from(why: String) -> Self {
        Self { soon: false, why }
    }
}

impl From<&str> for Missing {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

fn start(context: &Context) -> Running {
    let fetch = Fetch {
        urls: context.options.cluster_urls.clone(),
        agent: context.agent().clone(),
        plan: context.plan.clone(),
        got: Arc::default(),
        readings: context.readings.clone(),
    };
    let asked = fetch.clone();
    Running::default().task("plan", move |task| fetch.clone().run(move || task.beat())).observes(
        move |observation| {
            let age = asked.age();
            let age = age.map_or(Group::Unreadable(Unreadable::NoPlan), Group::Read);
            observation.plan_age = Some(age);
        },
    )
}

impl Fetch {
    /// Asks again and again.
    pub async fn run(self, mut alive: impl FnMut()) {
        let mut backoff = Backoff::default();
        loop {
            alive();
            let mut soon = false;
            if !self.urls.is_empty() {
                let fetched = self.fetch().await;
                soon = fetched.as_ref().is_err_and(|missing| missing.soon);
                if let Some(new) = self.readings.read(Input::Plan, fetched) {
                    self.take(new);
                }
            }
            sleep(self.pause(soon, &mut backoff)).await;
        }
    }

    fn take(&self, new: Plan) {
        *self.lock() = Some(Instant::now());
        self.plan.send_if_modified(|old| {
            let modified = old.as_deref() != Some(&new);
            *old = Some(Arc::new(new));
            modified
        });
    }

    /// Returns how long to wait before the next question: a second or two where there will be a
    /// plan soon, longer where that does not come true.
    fn pause(&self, soon: bool, backoff: &mut Backoff) -> Duration {
        let usual = if self.age().is_some() { INTERVAL } else { EAGER };
        let usual = usual.mul_f64(0.8 + 0.4 * fastrand::f64());
        if soon {
            return backoff.pause().min(usual);
        }
        *backoff = Backoff::default();
        usual
    }

    /// Returns the time since a plan was last got.
    pub fn age(&self) -> Option<Duration> {
        self.lock().map(|got| got.elapsed())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks one address after the other.
    async fn fetch(&self) -> Result<Plan, Missing> {
        let (mut soon, mut errors) = (false, Vec::new());
        for url in &self.urls {
            match self.ask(url).await {
                Ok(plan) => return Ok(plan),
                Err(missing) => {
                    soon |= missing.soon;
                    errors.push(format!("{url}: {missing}"));
                }
            }
        }
        Err(Missing { soon, why: errors.join("; ") })
    }

    async fn ask(&self, url: &str) -> Result<Plan, Missing> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http"));
        let host = host.ok_or("it does not begin with http://")?;
        let name = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let target = lookup::first(&name, DEADLINE).await;
        let target = target.map_err(|error| format!("the name cannot be resolved: {error}"))?;
        let (node, vantage) = (escaped(&self.agent.node), self.agent.vantage.as_str());
        let path = format!("/v1/plan?node={node}&vantage={vantage}");
        let body = get(target, &path, DEADLINE, MOST).await.map_err(|failed| match failed {
            Failed::Status(NOT_YET) => {
                Missing { soon: true, why: "it has no plan yet, and will be asked again".into() }
            }
            failed => failed.to_string().into(),
        })?;
        wire::read(&body).map_err(|error| format!("the answer is no plan: {error}").into())
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
    use crate::model::NodeTarget;

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
        let json = wire::write(&plan).unwrap();
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
        let odd = route(|| async { "{}" });
        let (odd, _odd) = served(Router::new().route("/v1/plan", odd)).await;
        let urls = ["http://127.0.0.1:1", "https://127.0.0.1", "http://[::1]:1", "::", &odd];
        let (fetch, _) = fetch(urls.map(str::to_owned).into());
        let error = fetch.fetch().await.unwrap_err();
        assert!(!error.soon, "no cluster role answers that will have one");
        let error = error.to_string();
        for part in [
            "http://127.0.0.1:1: cannot connect: Connection refused (os error 111); ",
            "https://127.0.0.1: it does not begin with http://; ",
            "http://[::1]:1: cannot connect: Connection refused",
            "::: it is no URL; ",
            ": the answer is no plan: missing field `kind`",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[tokio::test]
    async fn a_cluster_role_without_a_plan_yet_is_asked_again_in_a_second_or_two() {
        let busy = route(|| async { StatusCode::SERVICE_UNAVAILABLE });
        let (busy, _busy) = served(Router::new().route("/v1/plan", busy)).await;
        let (fetch, _) = fetch(vec!["http://127.0.0.1:1".into(), busy]);
        assert!(fetch.fetch().await.unwrap_err().soon);

        let mut backoff = Backoff::default();
        let mut seconds = |soon| fetch.pause(soon, &mut backoff).as_secs_f64();
        assert!((1.0..=2.0).contains(&seconds(true)));
        assert!(
            (2.0..=3.6).contains(&seconds(true)),
            "no longer than an agent without a plan waits"
        );
        assert!((2.4..=3.6).contains(&seconds(false)));

        fetch.take(Plan::default());
        assert!((1.0..=2.0).contains(&seconds(true)), "a cluster role began anew");
        assert!((2.0..=4.0).contains(&seconds(true)));
        for _ in 0..6 {
            assert!((4.0..=18.0).contains(&seconds(true)), "no longer than the usual");
        }
        assert!((12.0..=18.0).contains(&seconds(false)));
        assert!((1.0..=2.0).contains(&seconds(true)));
    }
}
