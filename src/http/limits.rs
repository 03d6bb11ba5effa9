//! What a server gives to its clients at most.

use std::time::Duration;

/// What clients may ask of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open connections from one address.
    pub of_address: usize,
    /// Pages that are written at the same time.
    pub encodes: usize,
    /// Until a whole head of a request has come.
    pub header: Duration,
    /// Until a client has taken the whole answer.
    pub answer: Duration,
}

impl Limits {
    /// Those of the cluster role.
    pub const CLUSTER: Self = Self {
        connections: 64,
        of_address: 16,
        encodes: 4,
        header: Duration::from_secs(10),
        answer: Duration::from_secs(30),
    };

    /// Those of an agent.
    pub const AGENT: Self = Self { connections: 32, of_address: 8, encodes: 2, ..Self::CLUSTER };
}
