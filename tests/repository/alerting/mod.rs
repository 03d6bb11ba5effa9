//! Alerts and dashboards: every name in them is one that the program has.

mod alerts;
mod contract;
mod dashboard;
mod inhibition;
mod pending;
mod rendered;
mod runbooks;

use crate::{queries, render, rules, source};

#[test]
fn what_has_come_is_no_longer_awaited() {
    let families = contract::families().map(|desc| desc.name);
    let awaited = |name: &&str| {
        pending::CODES.contains(name) || pending::FAMILIES.iter().any(|desc| desc.name == *name)
    };
    let come: Vec<&str> = families.chain(contract::codes()).filter(awaited).collect();
    assert!(
        come.is_empty(),
        "these have come, take them off tests/repository/alerting/pending.rs: {come:#?}"
    );
}
