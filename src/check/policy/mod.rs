//! Policies: what they keep apart that belongs together.

pub(in crate::check) mod engines;
pub(in crate::check) mod foreign;
mod gaps;
mod isolated;
mod object;
pub mod policy_dns_egress;
pub mod policy_engine;
pub mod policy_ingress_backend;
pub mod policy_selectors;
pub mod policy_service_ingress;

use crate::model::{
    CiliumConfig, DaemonSet, FOREIGN_POLICIES, Fact, Kind, Namespace, Node, PolicyEndpoint,
};

/// The kinds without which it stays open what policies do: what enforces them, and what decides
/// before and after them.
pub(in crate::check) const WANTS: [&Kind; KNOWN.len() + FOREIGN_POLICIES.len()] = {
    let mut all = [Namespace::KIND; KNOWN.len() + FOREIGN_POLICIES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < KNOWN.len() { KNOWN[at] } else { FOREIGN_POLICIES[at - KNOWN.len()] };
        at += 1;
    }
    all
};

const KNOWN: [&Kind; 5] =
    [Namespace::KIND, Node::KIND, DaemonSet::KIND, CiliumConfig::KIND, PolicyEndpoint::KIND];
