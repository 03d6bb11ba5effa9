//! What there is to know of a protocol's attempts, whatever they are made at.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::echo::Echo;
use crate::agent::Switch;
use crate::model::{Failure, ProbeKind};

/// An attempt that is under way.
pub type Attempt = Pin<Box<dyn Future<Output = Result<Duration, Failure>> + Send>>;

/// A protocol by which something is reached.
#[derive(Debug)]
pub struct Probe {
    /// What it is called.
    pub kind: ProbeKind,
    /// What switches it off.
    pub switch: Switch,
    /// How an attempt can fail, so that each reason starts at 0.
    pub failures: &'static [Failure],
    /// Whether the times of its attempts mean anything.
    pub timed: bool,
    /// Attempts it once.
    pub attempt: fn(SocketAddr, Arc<Echo>) -> Attempt,
}

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Probe {}
