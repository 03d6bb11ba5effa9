//! What is asked: who sends what to whom.

use std::net::IpAddr;

use crate::model::{Key, Pod, Protocol};

/// Traffic as its first packet has it. Replies are let through wherever that one is.
#[derive(Clone, Copy, Debug)]
pub struct Traffic<'a> {
    /// Who sends it.
    pub from: End<'a>,
    /// Who gets it.
    pub to: End<'a>,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port where it arrives: that of a pod, not that of the Service before it.
    pub port: u16,
}

/// One end of traffic.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// A pod, by any of its addresses; absent where there is none of that name.
    Pod(&'a Key, Option<&'a Pod>),
    /// An address of neither a pod nor a Service: policies speak of what is behind a Service.
    Address(IpAddr),
}

/// The direction of which a policy speaks, as its pods see it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// What they send.
    Egress,
    /// What they get.
    Ingress,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 2] = [Self::Egress, Self::Ingress];

    /// As policies have it, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}
