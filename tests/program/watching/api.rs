//! An API server that does what a test says, behind the real client and without a socket.

use std::collections::BTreeMap;
use std::io;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{Request, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use futures::stream::unfold;
use kube::Client;
use netvitals::cluster::{Change, Clock, Freshness, Settings};
use netvitals::model::{Fact, Kind, Name, Pod, Unanswered};
use netvitals::owner::Owner;
use netvitals::page::{Format, write};
use netvitals::task::{self, Task};
use netvitals::watch::{self, Counters};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::service_fn;

/// One request, as the server sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ask {
    /// Since the start of the test.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// A page of a list.
    Page { limit: u32, next: Option<String> },
    /// A streaming list.
    Stream,
    /// A watch from a version on.
    Watch(String),
}

/// What the server does about it; no answer is a connection refused.
pub(crate) type Answer = Option<Response<Body>>;

/// A watch in the making.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// One line.
    Line(Value),
    /// Some bytes that are no line yet.
    Bytes(&'static [u8]),
    /// Nothing for a while.
    Wait(u64),
    /// Nothing ever again.
    Hang,
    /// The connection breaks.
    Break,
}

/// Returns a streamed body that takes its steps one after the other, and then ends.
pub(crate) fn body(steps: impl IntoIterator<Item = Step>) -> Answer {
    let steps: Vec<Step> = steps.into_iter().collect();
    let stream = unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Line(line) => return Some((Ok(Bytes::from(format!("{line}\n"))), steps)),
                Step::Bytes(bytes) => return Some((Ok(Bytes::from_static(bytes)), steps)),
                Step::Wait(seconds) => sleep(Duration::from_secs(seconds)).await,
                Step::Hang => std::future::pending().await,
                Step::Break => {
                    return Some((Err(io::Error::from(io::ErrorKind::UnexpectedEof)), steps));
                }
            }
        }
    });
    Some(Body::from_stream(stream).into_response())
}

/// Returns a quiet watch, which the server ends in time.
pub(crate) fn quiet() -> Answer {
    let mut answer = Body::empty().into_response();
    answer.extensions_mut().insert(Quiet);
    Some(answer)
}

/// Marks a watch that lasts for as long as it was asked for.
#[derive(Clone, Copy)]
struct Quiet;

/// Returns a streaming list of the named pods, which then goes on quietly.
pub(crate) fn stream(version: u64, pods: &[&str]) -> Answer {
    let lines = pods.iter().map(|name| Step::Line(event("ADDED", &pod(name, 1))));
    let mark = json!({
        "resourceVersion": version.to_string(),
        "annotations": { "k8s.io/initial-events-end": "true" },
    });
    let mark = event("BOOKMARK", &json!({ "kind": "Pod", "metadata": mark }));
    body(lines.chain([Step::Line(mark), Step::Hang]))
}

pub(crate) fn page(version: u64, pods: &[&str], next: &str) -> Answer {
    let items: Vec<Value> = pods.iter().map(|name| pod(name, 1)).collect();
    let metadata = json!({ "resourceVersion": version.to_string(), "continue": next });
    Some(Json(json!({ "metadata": metadata, "items": items })).into_response())
}

pub(crate) fn refuse(code: u16, message: &str) -> Answer {
    let body = json!({ "kind": "Status", "message": message, "code": code });
    Some((StatusCode::from_u16(code).expect("a status"), Json(body)).into_response())
}

/// Returns the line of a watch; like a proxy that sorts fields, it has `object` before `type`.
pub(crate) fn event(ty: &str, object: &Value) -> Value {
    json!({ "type": ty, "object": object })
}

pub(crate) fn pod(name: &str, version: u64) -> Value {
    let metadata =
        json!({ "namespace": "shop", "name": name, "resourceVersion": version.to_string() });
    json!({ "metadata": metadata, "status": { "phase": "Running" } })
}

/// The watch of one kind, and the facts that come of it.
pub(crate) struct Following {
    owner: Owner,
    changes: Receiver<Change>,
    counts: Arc<Counters>,
    tasks: Vec<Task>,
    start: Instant,
    asked: Arc<Mutex<Vec<Ask>>>,
}

/// Follows `plural` at a server that answers as `answer` says, which is told how many requests
/// there were before.
pub(crate) fn follow(
    plural: &str,
    capacity: usize,
    answer: impl Fn(usize, &Ask) -> Answer + Send + Sync + 'static,
) -> Following {
    let start = Instant::now();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answer, log) = (Arc::new(answer), asked.clone());
    let server = service_fn(move |request: Request<kube::client::Body>| {
        let ask = Ask { at: start.elapsed(), what: what(request.uri()) };
        let before = {
            let mut log = log.lock().expect("no panic");
            log.push(ask.clone());
            log.len() - 1
        };
        let mut answer = answer(before, &ask);
        if answer.as_ref().is_some_and(|answer| answer.extensions().get::<Quiet>().is_some()) {
            answer = body([Step::Wait(length(request.uri()))]);
        }
        async { answer.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused)) }
    });
    let client = Client::new(server, "default");
    let kind = watch::ALL.iter().find(|watch| watch.kind.plural == plural).expect("a kind");
    let (sender, changes) = mpsc::channel(capacity);
    let (leaves, stop) = (TaskTracker::new(), CancellationToken::new());
    let (tasks, counts) = watch::run(from_ref(kind), &client, &sender, &leaves, &stop);
    let owner = Owner::new(&[], Settings::default());
    Following { owner, changes, counts, tasks, start, asked }
}

/// Returns for how many seconds a watch is asked for.
fn length(uri: &Uri) -> u64 {
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(uri).expect("a query");
    query["timeoutSeconds"].parse().expect("a number")
}

fn what(uri: &Uri) -> What {
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(uri).expect("a query");
    let text = |name: &str| query.get(name).cloned();
    match (text("watch").is_some(), text("sendInitialEvents").is_some()) {
        (true, true) => What::Stream,
        (true, false) => What::Watch(text("resourceVersion").expect("a version")),
        _ => What::Page {
            limit: text("limit").map(|limit| limit.parse().expect("a number")).expect("a limit"),
            next: text("continue"),
        },
    }
}

impl Following {
    /// Goes on until so many seconds after the start.
    pub(crate) async fn until(&mut self, seconds: u64) {
        let end = self.start + Duration::from_secs(seconds);
        let second = Duration::from_secs(1);
        let mut ticks = interval_at(Instant::now(), second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while Instant::now() < end {
            tokio::select! {
                Some(change) = self.changes.recv() => { self.owner.step(change); }
                _ = ticks.tick() => self.tick(),
                () = sleep_until(end) => {}
            }
        }
        self.tick();
    }

    fn tick(&mut self) {
        assert_eq!(self.silence(), None, "whatever the server does, the watch goes on");
        let now = Clock { uptime: self.start.elapsed(), ..Clock::default() };
        self.owner.step(Change::Tick { now, spent: Duration::ZERO });
    }

    /// Returns for how long the watch has hung, if it does.
    pub(crate) fn silence(&self) -> Option<Duration> {
        task::silent(&self.tasks).map(|(_, silence)| silence)
    }

    /// Takes one change, and returns whether there was one.
    pub(crate) async fn step(&mut self) -> bool {
        match self.changes.recv().await {
            Some(change) => self.owner.step(change).is_none(),
            None => false,
        }
    }

    /// Returns the names of the pods, in order.
    pub(crate) fn pods(&self) -> Result<Vec<String>, Unanswered> {
        let pods = self.owner.cluster().read::<Pod>()?;
        Ok(pods.iter().map(|(key, _)| key.name.to_string()).collect())
    }

    /// Returns how many objects of a kind there are.
    pub(crate) fn read<T: Fact>(&self) -> Result<usize, Unanswered> {
        self.owner.cluster().read::<T>().map(|objects| objects.iter().count())
    }

    /// Returns whether the pods of the namespace can all be read.
    pub(crate) fn is_readable(&self) -> bool {
        let pods = self.owner.cluster().read::<Pod>().expect("pods");
        pods.namespace(&Name::from("shop")).is_ok()
    }

    pub(crate) fn freshness(&self, kind: &'static Kind) -> Freshness {
        self.owner.cluster().freshness(kind)
    }

    pub(crate) fn asked(&self) -> Vec<Ask> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Returns what was asked, without the times.
    pub(crate) fn whats(&self) -> Vec<What> {
        self.asked().into_iter().map(|ask| ask.what).collect()
    }

    /// Returns the value of a series.
    pub(crate) fn count(&self, series: &str) -> u64 {
        let page = write(&[&self.counts.rows()], Format::Text);
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series} in {page}")).trim().parse().expect("a number")
    }
}
