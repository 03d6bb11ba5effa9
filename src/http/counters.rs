//! What a server counts of itself.

use std::sync::atomic::{AtomicI64, AtomicU32};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::family::{Desc, Family, Rows};

/// The families of every server.
pub static FAMILIES: &[Desc] = &[CONNECTIONS.desc(), REJECTED.desc(), SCRAPES.desc()];

static CONNECTIONS: Family<0> =
    Family::gauge("netvitals_http_connections", "Open connections to this server.", []);

static REJECTED: Family<1> = Family::counter(
    "netvitals_http_rejected_total",
    "Connections and requests that were refused or ended because of a limit.",
    ["reason"],
);

static SCRAPES: Family<0> = Family::counter(
    "netvitals_scrapes_total",
    "Requests for the page of metrics; those of browsers do not count.",
    [],
);

/// Which limit was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rejected {
    /// Too many connections: one was refused, or had to make room.
    Connections,
    /// The same for those from one address.
    Address,
    /// A request that was not answered in time.
    Late,
    /// A request with a body.
    Body,
    /// Too many pages being written at once.
    Encodes,
}

impl Rejected {
    const ALL: [Self; 5] =
        [Self::Connections, Self::Address, Self::Late, Self::Body, Self::Encodes];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Address => "connections_of_address",
            Self::Late => "late",
            Self::Body => "body",
            Self::Encodes => "encodes",
        }
    }
}

/// Live counts of one server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: Gauge<i64, AtomicI64>,
    pub(super) scrapes: Counter,
    /// Pages in a row that could not be written.
    pub(super) unwritten: AtomicU32,
    rejected: [Counter; Rejected::ALL.len()],
}

impl Counters {
    pub(super) fn reject(&self, why: Rejected) {
        self.rejected[why as usize].inc();
    }

    pub(super) fn rejected(&self, why: Rejected) -> u64 {
        self.rejected[why as usize].get()
    }

    pub(super) fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        rows.push(&CONNECTIONS, [], self.connections.get() as f64);
        rows.push(&SCRAPES, [], self.scrapes.get() as f64);
        for why in Rejected::ALL {
            rows.push(&REJECTED, [why.as_str()], self.rejected(why) as f64);
        }
        rows
    }
}
