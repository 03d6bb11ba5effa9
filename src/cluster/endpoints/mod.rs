//! Services, their slices and their pods: the index of what selects what, and what differs.

mod comparison;
mod index;
mod lag;
mod mismatch;

pub use comparison::Comparison;
use comparison::{Tables, slices_of as slices_in};
use index::Index;
use lag::Touched;
pub use lag::{LAG_BOUNDS, Lag, Lagging};
pub use mismatch::{Mismatch, Mismatches, gets_traffic, port_number};

use super::{Cluster, Follower, Step};
use crate::model::{EndpointSlice, Fact, Key, Kind, Node, Pod, Service, Unanswered, Unknown};

/// Follows the four kinds from which endpoints follow.
#[derive(Debug, Default)]
pub struct Endpoints {
    index: Index,
    lag: Lag,
    /// What changed since the facts were last looked at; `None` while some list is under way.
    touched: Option<Vec<Touched>>,
}

impl Follower for Endpoints {
    fn kinds(&self) -> &'static [&'static Kind] {
        &[Service::KIND, Pod::KIND, EndpointSlice::KIND, Node::KIND]
    }

    fn step(&mut self, step: &Step<'_>) {
        let key = step.key;
        let touched = if let Some((old, new)) = step.of::<Pod>() {
            (old != new).then(|| {
                self.index.pod(key, old, new);
                Touched::pod(key, old, new)
            })
        } else if let Some((old, new)) = step.of::<EndpointSlice>() {
            self.index.slice(key, old, new);
            Some(Touched::slice(key, old, new))
        } else if let Some((old, new)) = step.of::<Service>() {
            (old != new).then(|| {
                self.index.service(key, old, new);
                Touched::Service(key.clone())
            })
        } else if let Some((old, new)) = step.of::<Node>() {
            (old.is_some() != new.is_some()).then_some(Touched::Node)
        } else {
            None
        };
        if let Some(all) = &mut self.touched {
            all.extend(touched);
        }
    }

    fn undecoded(&mut self, key: &Key) {
        if let Some(all) = &mut self.touched {
            all.push(Touched::Unreadable(key.namespace.clone()));
        }
    }

    fn settle(&mut self, cluster: &Cluster, relists: bool) {
        if relists || self.touched.as_ref().is_some_and(|touched| !touched.is_empty()) {
            let touched = self.touched.take();
            let follows = self.lag.follow(Tables::complete(cluster, &self.index), touched);
            self.touched = follows.then(Vec::new);
        }
    }
}

/// Compares the slices of every Service with its pods, and gives `visit` the outcome; a namespace
/// that cannot be read comes instead of its Services.
///
/// # Errors
///
/// As [`Cluster::read`].
pub fn compare<'a>(
    cluster: &'a Cluster,
    visit: &mut dyn FnMut(Result<Comparison<'a>, Unknown>),
) -> Result<(), Unanswered> {
    Tables::read(cluster, &of(cluster).index)?.compare_all(visit);
    Ok(())
}

/// Returns how long slices take to follow their pods.
pub fn lag(cluster: &Cluster) -> &Lag {
    &of(cluster).lag
}

/// Returns the slices of one Service.
///
/// # Errors
///
/// As [`Cluster::read`], and where a slice of its namespace cannot be decoded.
pub fn slices_of<'a>(
    cluster: &'a Cluster,
    service: &Key,
) -> Result<impl Iterator<Item = &'a EndpointSlice> + use<'a>, Unanswered> {
    let slices = cluster.read::<EndpointSlice>()?;
    slices.namespace(&service.namespace).map(|_| ())?;
    Ok(slices_in(&of(cluster).index, slices, service))
}

/// Returns the slices of one Service as they were last seen; not for judging.
pub fn last_known_slices_of<'a>(
    cluster: &'a Cluster,
    service: &'a Key,
) -> impl Iterator<Item = &'a EndpointSlice> {
    let slices = cluster.last_known::<EndpointSlice>().into_iter();
    let index = &of(cluster).index;
    slices.flat_map(move |slices| slices_in(index, slices, service))
}

fn of(cluster: &Cluster) -> &Endpoints {
    cluster.follower().expect("the list of followers has this one, and no follower asks for it")
}
