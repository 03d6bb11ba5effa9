//! DNS as CoreDNS serves it, over UDP and TCP: the names of Services, and failures on demand.
//!
//! Which query fails is no chance: a share of them does, evenly spread, so that a test counts
//! the same every time. Left out: names of pods, `SRV`, and the world outside, which is
//! `NXDOMAIN`.

mod names;
mod server;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::api::Api;
use names::Names;

/// Between two messages on one TCP connection.
const IDLE: Duration = Duration::from_secs(10);

/// Answers that wait for a TCP client to read them.
const WAITING: usize = 32;

/// Other listeners may have the port of one protocol and not the other's.
const TRIES: u32 = 16;

/// How a replica fails: each a share of its queries, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Queries that are never answered.
    pub dropped: f64,
    /// Queries that are answered with `SERVFAIL`.
    pub servfail: f64,
    /// Queries for addresses that are answered with another one.
    pub wrong: f64,
    /// Queries that are answered late.
    pub late: f64,
    /// How late.
    pub delay: Duration,
}

/// What happens to one query.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Answered,
    Late(Duration),
    Dropped,
    Servfail,
    Wrong(Ipv4Addr),
}

/// An address that no machine has: it is for documentation.
const WRONG: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

/// One pod that answers DNS. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Replica(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api,
    asked: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    /// What it knows, and of which version of the API.
    names: Names,
    version: u64,
    /// Whether it lost the API.
    cut_off: bool,
}

impl Replica {
    /// Begins a healthy one, which knows what `api` has at any moment.
    pub fn new(api: Api) -> Self {
        Self(Arc::new(Inner { api, asked: AtomicU64::new(0), state: Mutex::default() }))
    }

    /// Fails so from now on.
    pub fn fail(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Loses the API, as far as this replica can tell: it goes on with what it knows now.
    pub fn cut_off(&self, cut: bool) {
        self.known(|_| ());
        self.state().cut_off = cut;
    }

    /// Returns how many queries it was asked.
    pub fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn fate(&self) -> Fate {
        let faults = self.state().faults;
        let mut at = spread(self.0.asked.fetch_add(1, Ordering::Relaxed));
        for (share, fate) in [
            (faults.dropped, Fate::Dropped),
            (faults.servfail, Fate::Servfail),
            (faults.wrong, Fate::Wrong(WRONG)),
            (faults.late, Fate::Late(faults.delay)),
        ] {
            if at < share {
                return fate;
            }
            at -= share;
        }
        Fate::Answered
    }

    /// Calls `with` with the names that this replica knows.
    fn known<T>(&self, with: impl FnOnce(&Names) -> T) -> T {
        let mut state = self.state();
        let version = self.0.api.version();
        if !state.cut_off && state.version != version {
            (state.names, state.version) = (Names::of(&self.0.api), version);
        }
        with(&state.names)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves nothing half done here.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queries in a row of which every share has its part.
const BLOCK: u64 = 10;

/// Spreads 0, 1, 2, … over 0 to 1: each block evenly, and in an order of its own.
///
/// A regular order would not do: clients that ask in turn would each hit the same part of it,
/// and all queries of one of them would fail.
fn spread(count: u64) -> f64 {
    let first = count - count % BLOCK;
    let own = shuffled(count);
    let rank = (first..first + BLOCK).filter(|other| shuffled(*other) < own).count();
    let within = shuffled(own) as f64 / (u64::MAX as f64 + 1.0);
    (rank as f64 + within) / BLOCK as f64
}

/// Returns a number that looks random, and no two the same (the finalizer of splitmix64).
fn shuffled(number: u64) -> u64 {
    let mut it = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    it ^ (it >> 31)
}

/// Listens for replicas until it is dropped.
pub struct Server {
    address: SocketAddr,
    _server: hickory_server::Server<server::Front>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on UDP and TCP, on one port of `address`; 0 takes a free one.
    ///
    /// With several replicas it is a Service's address: each query goes to one of them.
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be listened on.
    pub async fn start(address: SocketAddr, replicas: Vec<Replica>) -> io::Result<Self> {
        let mut tries = 0;
        let (tcp, udp) = loop {
            match server::bind(address).await {
                Err(error) if address.port() == 0 && tries < TRIES => {
                    tracing::debug!(%error, "a port is free for TCP only");
                    tries += 1;
                }
                bound => break bound.map_err(|error| super::cannot_listen(address, &error))?,
            }
        };
        let address = tcp.local_addr()?;
        let mut server = hickory_server::Server::new(server::Front::new(replicas));
        server.register_socket(udp);
        server.register_listener(tcp, IDLE, WAITING);
        Ok(Self { address, _server: server })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests;
