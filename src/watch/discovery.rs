//! Asks the API server now and then which of the kinds that a cluster may lack it has.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{Request, StatusCode};
use kube::Client;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::error::WatchError;
use super::request::{answer, refusal, whole};
use super::served::{Discovered, Groups, Presence, SURE};
use crate::model::Kind;
use crate::task::{Backoff, Task};

/// Between two discoveries, ± 20 %: how long a kind that is installed waits to be followed.
const EVERY: Duration = Duration::from_secs(120);

/// Between two signs of life of a task that has nothing to do.
const BEAT: Duration = Duration::from_secs(30);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The aggregated form where it is served, which has everything in one answer, else the older one.
const FORMS: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Which kinds the cluster has, for their followers. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Served {
    presences: Arc<watch::Sender<BTreeMap<&'static Kind, Presence>>>,
    /// A follower doubts what was found last.
    doubted: Arc<Notify>,
}

impl Served {
    /// Begins without knowing any of `kinds`.
    pub(super) fn new(kinds: impl Iterator<Item = &'static Kind>) -> Self {
        let presences = kinds.map(|kind| (kind, Presence::Unknown)).collect();
        Self { presences: Arc::new(watch::Sender::new(presences)), doubted: Arc::default() }
    }

    pub(super) fn subscribe(&self, kind: &'static Kind) -> Subscription {
        Subscription { kind, presences: self.presences.subscribe() }
    }

    /// Has the server asked again at once.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    pub(super) fn kinds(&self) -> Vec<&'static Kind> {
        self.presences.borrow().keys().copied().collect()
    }
}

/// What is known of one kind.
pub(super) struct Subscription {
    kind: &'static Kind,
    presences: watch::Receiver<BTreeMap<&'static Kind, Presence>>,
}

impl Subscription {
    pub(super) fn now(&mut self) -> Presence {
        self.presences.borrow_and_update().get(self.kind).copied().unwrap_or_default()
    }

    /// Waits until it is no longer `known`; meanwhile the task gives signs of life.
    pub(super) async fn changed_beating(&mut self, known: Presence, task: &Task) {
        loop {
            task.beat();
            if timeout(BEAT, self.changed(known)).await.is_ok() {
                return;
            }
        }
    }

    /// Waits until it is no longer `known`.
    pub(super) async fn changed(&mut self, known: Presence) {
        while self.now() == known {
            if self.presences.changed().await.is_err() {
                // Nothing will change any more: the process ends.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Asks for ever.
pub(super) async fn discover(client: Client, served: Served, task: Task) -> Infallible {
    let mut discovery = Discovery { client, last: None };
    let kinds = served.kinds();
    let mut known: BTreeMap<&Kind, Discovered> = BTreeMap::new();
    let mut backoff = Backoff::default();
    let mut first = true;
    loop {
        task.beat();
        let wait = match discovery.groups(&kinds).await {
            Ok(groups) => {
                backoff = Backoff::default();
                let now = Instant::now();
                let mut soon = std::mem::take(&mut first);
                for kind in &kinds {
                    soon |= known.entry(kind).or_default().learn(now, groups.find(kind));
                }
                served.presences.send_if_modified(|presences| {
                    let before = presences.clone();
                    presences.extend(kinds.iter().map(|kind| (*kind, known[kind].presence)));
                    *presences != before
                });
                if soon { SURE } else { EVERY.mul_f64(0.8 + 0.4 * fastrand::f64()) }
            }
            Err(error) => {
                let pause = backoff.pause();
                // A kind that was there stays there, and one that was not stays away.
                let pause_seconds = pause.as_secs_f64();
                tracing::warn!(%error, pause = pause_seconds, "cannot ask which kinds there are");
                pause
            }
        };
        // It waits in steps that give a sign of life each.
        let end = Instant::now() + wait;
        while Instant::now() < end {
            task.beat();
            let step = (end - Instant::now()).min(BEAT);
            if timeout(step, served.doubted.notified()).await.is_ok() {
                // A kind that is being removed may still be there for a moment.
                sleep(Duration::from_secs(1)).await;
                break;
            }
        }
    }
}

struct Discovery {
    client: Client,
    /// The last aggregated answer, and what the server calls it.
    last: Option<(HeaderValue, Arc<Groups>)>,
}

impl Discovery {
    async fn groups(&mut self, kinds: &[&'static Kind]) -> Result<Arc<Groups>, WatchError> {
        let mut request = Request::get("/apis").header(ACCEPT, FORMS);
        if let Some((tag, _)) = &self.last {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = answer(&self.client, request, PATIENCE).await?;
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some((_, groups)) = &self.last
        {
            return Ok(groups.clone());
        }
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let tag = response.headers().get(ETAG).cloned();
        let is_aggregated = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|form| form.contains("APIGroupDiscoveryList"));
        let body = whole(response, PATIENCE).await?;
        if is_aggregated {
            let groups = Arc::new(Groups::aggregated(&body).map_err(WatchError::Garbled)?);
            self.last = tag.map(|tag| (tag, groups.clone()));
            return Ok(groups);
        }
        let mut groups = Groups::listed(&body).map_err(WatchError::Garbled)?;
        for kind in kinds {
            for version in groups.unread_versions_of(kind) {
                let request = Request::get(format!("/apis/{}/{version}", kind.group));
                let response = answer(&self.client, request, PATIENCE).await?;
                // What serves it may be away: that is no proof that the kind is.
                if response.status().is_success() {
                    let body = whole(response, PATIENCE).await?;
                    groups.add(kind, version, &body).map_err(WatchError::Garbled)?;
                }
            }
        }
        Ok(Arc::new(groups))
    }
}
