//! What the command line and the configuration ask for.

use std::path::PathBuf;

use super::{cluster, demo, get};
use crate::agent::Options;
use crate::log::{Form, Level};
use crate::setting::Address;

/// What to run, and how.
#[derive(Debug)]
pub struct Command {
    /// Where to listen.
    pub listen: Address,
    /// What is logged.
    pub log: (Level, Form),
    /// Whether only to check that all of this is valid.
    pub check: bool,
    /// The role.
    pub run: Run,
}

/// A role and its options.
#[derive(Clone, Debug)]
pub enum Run {
    /// `netvitals agent`
    Agent(Options),
    /// `netvitals cluster`, and where its kubeconfig is.
    Cluster(cluster::Options, Option<PathBuf>),
    /// `netvitals demo`
    Demo(demo::Options),
    /// `netvitals demo --list`
    Scenarios,
    /// `netvitals get`
    Get(get::Options),
}
