//! What is counted of every watch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;

use crate::family::{Desc, Family, Rows};
use crate::model::Kind;

/// The families of every watch.
pub static FAMILIES: &[Desc] =
    &[REQUESTS.desc(), DECODE_ERRORS.desc(), RELISTS.desc(), RESTARTS.desc()];

static REQUESTS: Family<3> = Family::counter(
    "netvitals_api_requests_total",
    "Requests to the Kubernetes API; the code is error when nothing answered.",
    ["kind", "verb", "code"],
);

static DECODE_ERRORS: Family<1> = Family::counter(
    "netvitals_decode_errors_total",
    "Objects that could not be decoded; the log names them.",
    ["kind"],
);

static RELISTS: Family<1> = Family::counter(
    "netvitals_watch_relists_total",
    "Lists of a kind after its first, because what was known was too old or in doubt.",
    ["kind"],
);

static RESTARTS: Family<1> = Family::counter(
    "netvitals_watch_restarts_total",
    "Lists and watches of a kind that failed and were tried again; the log says why.",
    ["kind"],
);

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Verb {
    List,
    Watch,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

/// The counts of every kind, each from 0 on.
#[derive(Debug)]
pub struct Counters(BTreeMap<&'static Kind, Of>);

/// The counts of one kind.
#[derive(Debug)]
pub(super) struct Of {
    pub(super) decode_errors: Counter,
    pub(super) relists: Counter,
    pub(super) restarts: Counter,
    /// By verb and HTTP status, of which there are few; no status is no answer.
    requests: Mutex<BTreeMap<(Verb, Option<u16>), u64>>,
    /// A kind that the cluster lacks has no series.
    shown: AtomicBool,
}

impl Default for Of {
    fn default() -> Self {
        let usual = [Verb::List, Verb::Watch].map(|verb| ((verb, Some(200)), 0));
        Self {
            decode_errors: Counter::default(),
            relists: Counter::default(),
            restarts: Counter::default(),
            requests: Mutex::new(usual.into()),
            shown: AtomicBool::new(false),
        }
    }
}

impl Of {
    /// The kind is followed: it has series from now on.
    pub(super) fn show(&self) {
        self.shown.store(true, Ordering::Relaxed);
    }

    pub(super) fn request(&self, verb: Verb, code: Option<u16>) {
        // Nothing that a panic could leave half done is guarded.
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb, code)).or_default() += 1;
    }
}

impl Counters {
    pub(super) fn new(kinds: impl Iterator<Item = &'static Kind>) -> Self {
        let counts = Self(kinds.map(|kind| (kind, Of::default())).collect());
        counts.0.iter().filter(|(kind, _)| !kind.is_discovered()).for_each(|(_, of)| of.show());
        counts
    }

    pub(super) fn of(&self, kind: &Kind) -> &Of {
        self.0.get(kind).expect("every kind of the table has its counts")
    }

    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for (kind, of) in &self.0 {
            if !of.shown.load(Ordering::Relaxed) {
                continue;
            }
            let kind = kind.label;
            rows.push(&DECODE_ERRORS, [kind], of.decode_errors.get() as f64);
            rows.push(&RELISTS, [kind], of.relists.get() as f64);
            rows.push(&RESTARTS, [kind], of.restarts.get() as f64);
            let requests = of.requests.lock().unwrap_or_else(PoisonError::into_inner);
            for ((verb, code), count) in &*requests {
                let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
                rows.push(&REQUESTS, [kind, verb.as_str(), &code], *count as f64);
            }
        }
        rows
    }
}
