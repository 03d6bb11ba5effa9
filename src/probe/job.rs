//! Something that is attempted again and again, and one attempt at it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Probe;
use super::counters::AttemptKind;
use super::dns::{self, Expected, Question};
use super::echo::Echo;
use crate::model::{DnsPath, DnsQuery, Failure, Key, Name, ProbeKind, Protocol, Replica, Target};

/// An unanswered query is lost after so long.
pub(super) const DEADLINE_DNS: Duration = Duration::from_secs(2);

/// Both families have to be there within so long.
const PAIR: Duration = Duration::from_secs(1);

/// What an attempt is of, as observations name it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Row {
    /// Queries of one kind to one server.
    Dns {
        /// Which server.
        path: DnsPath,
        /// What is asked.
        query: DnsQuery,
        /// Over which protocol.
        protocol: Protocol,
        /// Which replica, on the path of that name.
        replica: Option<Replica>,
    },
    /// What one replica says of one Service.
    Answer {
        /// Which replica.
        replica: Replica,
        /// Of which Service.
        service: Key,
    },
    /// Attempts to reach one thing.
    Reach {
        /// What kind of thing.
        target: Target,
        /// By which protocol.
        probe: ProbeKind,
        /// Its node; absent for a Service.
        node: Option<Name>,
        /// Its Service.
        service: Option<Key>,
        /// The Service's port.
        port: Option<u16>,
    },
    /// An attempt that must not succeed: a connection, or else a query.
    Canary {
        /// By which protocol.
        probe: ProbeKind,
    },
}

/// What is attempted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ask {
    /// What a probe of reachability attempts.
    Reach(&'static Probe),
    /// One query, and what its answer has to be.
    Query(Question, Expected),
    /// The same, over TCP where the answer does not fit into a datagram.
    Whole(Question, Expected),
    /// One query over TCP.
    TcpQuery(Question, Expected),
    /// Both families at once; the second one may have no addresses.
    Pair([Question; 2], Expected),
    /// A name below this one that no zone has.
    Random(String),
}

impl Ask {
    /// Attempts it once, at `address`.
    ///
    /// # Errors
    ///
    /// Returns why it failed.
    pub async fn attempt(
        &self,
        address: SocketAddr,
        echo: &Arc<Echo>,
    ) -> Result<Duration, Failure> {
        match self {
            Self::Reach(probe) => (probe.attempt)(address, echo.clone()).await,
            Self::Query(question, expected) => {
                let (reply, took) = dns::udp(address, question, DEADLINE_DNS).await?;
                dns::judge(&reply, expected).map(|()| took)
            }
            Self::Whole(question, expected) => {
                let (mut reply, mut took) = dns::udp(address, question, DEADLINE_DNS).await?;
                if reply.truncated {
                    (reply, took) = dns::tcp(address, question, DEADLINE_DNS).await?;
                }
                dns::judge(&reply, expected).map(|()| took)
            }
            Self::TcpQuery(question, expected) => {
                let (reply, took) = dns::tcp(address, question, DEADLINE_DNS).await?;
                dns::judge(&reply, expected).map(|()| took)
            }
            Self::Pair([first, second], expected) => {
                let ([one, other], took) = dns::udp_pair(address, [first, second], PAIR).await?;
                dns::judge(&one, expected)?;
                dns::judge(&other, &Expected::Existence).map(|()| took)
            }
            Self::Random(parent) => {
                // 60 bits: no server has cached it.
                let name = format!("nv-{:015x}.{parent}", fastrand::u64(..) >> 4);
                let question = Question::v4(&name).map_err(|_| Failure::Local)?;
                let (reply, took) = dns::udp(address, &question, DEADLINE_DNS).await?;
                dns::judge(&reply, &Expected::Absence).map(|()| took)
            }
        }
    }

    /// Tells whether it is a query.
    pub const fn is_query(&self) -> bool {
        !matches!(self, Self::Reach(_))
    }
}

/// A target and how often it is tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// What it is of.
    pub row: Row,
    /// Where.
    pub address: SocketAddr,
    /// What is attempted.
    pub ask: Ask,
    /// Between two attempts, at most.
    pub every: Duration,
}

impl Job {
    /// Returns how its attempts are counted; some are only observed.
    pub fn counted(&self) -> Option<AttemptKind> {
        match (&self.row, &self.ask) {
            (Row::Dns { path, query, protocol, .. }, _) => match query {
                // They explain a failing row, and have no place among the few series.
                DnsQuery::Pair | DnsQuery::Version => None,
                _ => Some(AttemptKind::Dns(*path, *query, *protocol)),
            },
            (Row::Reach { target, .. }, Ask::Reach(probe)) => {
                Some(AttemptKind::Probe(probe, *target))
            }
            (Row::Reach { .. } | Row::Answer { .. } | Row::Canary { .. }, _) => None,
        }
    }
}
