//! All that follows single objects.

use super::balancers::Balancers;
use super::endpoints::Endpoints;
use super::restarts::Restarts;
use super::sandboxes::Sandboxes;
use super::{Cluster, Follower, Settings};

/// One line for each.
const ALL: &[fn() -> Box<dyn Follower>] = &[
    || Box::<Balancers>::default(),
    || Box::<Endpoints>::default(),
    || Box::<Restarts>::default(),
    || Box::<Sandboxes>::default(),
];

impl Cluster {
    /// Begins without any fact.
    pub fn new(settings: Settings) -> Self {
        Self::with_followers(settings, ALL.iter().map(|begin| begin()).collect())
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}
