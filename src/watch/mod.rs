//! The Kubernetes API: what is watched, and how it becomes changes.

mod endpoint_slice;
mod pod;
mod seen;
mod service;

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::ListParams;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, interval_at};

use self::seen::{Seen, Watched};
use crate::family::{Desc, Family, Rows};
use crate::model::{
    Change, EndpointSlice, Event, Kind, Pod, Protocol, Service, Skipped, Unanswered, Unknown,
};

/// Every kind that is watched.
pub static ALL: &[Watch] = &[follow::<EndpointSlice>(), follow::<Pod>(), follow::<Service>()];

/// The families of every watch.
pub static FAMILIES: &[Desc] = &[DECODE_ERRORS.desc()];

static DECODE_ERRORS: Family<1> = Family::counter(
    "netvitals_decode_errors_total",
    "Objects that could not be decoded; the log names them.",
    ["kind"],
);

/// How often a quiet source is asked for a proof of life.
const PROOF: Duration = Duration::from_secs(60);

/// The watch of one kind.
#[derive(Debug)]
pub struct Watch {
    /// The kind.
    pub kind: &'static Kind,
    /// Watches until something fails; the supervisor of tasks starts it again.
    pub start: fn(Client, Sender<Change>, Arc<Counts>) -> Running,
}

/// A watch that runs.
pub type Running = Pin<Box<dyn Future<Output = watcher::Result<()>> + Send>>;

/// Objects that could not be decoded, by kind, each from 0 on.
#[derive(Debug)]
pub struct Counts(BTreeMap<&'static str, Counter>);

impl Default for Counts {
    fn default() -> Self {
        Self(ALL.iter().map(|watch| (watch.kind.name, Counter::default())).collect())
    }
}

impl Counts {
    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for (kind, count) in &self.0 {
            rows.push(&DECODE_ERRORS, [kind], count.get() as f64);
        }
        rows
    }

    fn event<T: Watched>(&self, event: watcher::Event<Seen<T>>) -> Event<T> {
        match event {
            watcher::Event::Init => Event::Begin,
            watcher::Event::InitDone => Event::Done,
            watcher::Event::Delete(seen) => Event::Gone(seen.key()),
            watcher::Event::InitApply(seen) | watcher::Event::Apply(seen) => {
                let key = seen.key();
                match seen.fact {
                    Ok(fact) => Event::Put(key, fact),
                    Err(error) => {
                        let kind = T::KIND.name;
                        tracing::warn!(kind, object = %key, %error, "cannot decode an object");
                        self.0.get(kind).inspect(|count| _ = count.inc());
                        Event::Undecoded(key)
                    }
                }
            }
        }
    }
}

const fn follow<T: Watched>() -> Watch {
    Watch {
        kind: T::KIND,
        start: |client, changes, counts| Box::pin(run::<T>(client, changes, counts)),
    }
}

async fn run<T: Watched>(
    client: Client,
    changes: Sender<Change>,
    counts: Arc<Counts>,
) -> watcher::Result<()> {
    let api = Api::<Seen<T>>::all(client);
    // A watch that went silent is found out 5 s after this timeout, hence before it is stale.
    let mut events = pin!(watcher(api.clone(), watcher::Config::default().timeout(30)));
    let mut proof = interval_at(Instant::now() + PROOF, PROOF);
    loop {
        let event = tokio::select! {
            Some(event) = events.next() => match event {
                Ok(event) => counts.event(event),
                Err(error) => {
                    if let Some(why) = barred(T::KIND, &error) {
                        // Should the owner be gone, the process ends anyway.
                        _ = changes.send(Event::<T>::Barred(why).into()).await;
                    }
                    return Err(error);
                }
            },
            // The watcher keeps bookmarks to itself, so a quiet kind has to be asked.
            _ = proof.tick() => {
                let one = ListParams::default().limit(1);
                api.list(&one).await.map_err(watcher::Error::InitialListFailed)?;
                Event::Proved
            }
        };
        if changes.send(event.into()).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads a protocol; absent means TCP everywhere in the API.
fn protocol(text: Option<&str>) -> Protocol {
    match text {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some(_) => Protocol::Other,
    }
}

/// Tells what no restart will repair from what one may.
fn barred(kind: &'static Kind, error: &watcher::Error) -> Option<Unanswered> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) =
        error
    else {
        return None;
    };
    let kube::Error::Api(status) = error else { return None };
    match status.code {
        403 => Some(Unknown::Forbidden(kind.name).into()),
        404 => Some(Skipped::NotInstalled.into()),
        _ => None,
    }
}
