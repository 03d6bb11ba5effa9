//! What is shown on the real cluster, and in which order.
//!
//! A new scenario is a function and its line in [`ALL`](healthy::ALL) of its file; a new file has its line in [`FILES`].

mod addresses;
mod alerting;
mod api_server;
mod backup;
mod changes;
mod dashboard;
mod dns;
mod dns_config;
mod dns_resources;
mod dns_servers;
mod endpoints;
mod endurance;
mod faults;
mod healthy;
mod install;
mod nodes;
mod oracle;
mod policy;
mod ranges;
mod reach;
mod remedies;
mod sandboxes;
mod throttling;
mod verdicts;
mod wrong;

use crate::stage::Stage;

/// Something that is shown: it panics where it is not so, and leaves the cluster as it was.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Its name, a sentence.
    pub(crate) name: &'static str,
    on: On,
    show: fn(&Stage),
}

/// What has to be on the stage before; what wants less comes first, because a cluster never goes back.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum On {
    /// A cluster without netvitals.
    Bare,
    /// netvitals as it ships.
    Shipped,
    /// netvitals with shorter intervals and windows, and healthy.
    Quick,
    /// Whatever is there: what is shown has nothing to do with netvitals.
    Any,
    /// As [`On::Quick`]; and the cluster is worth nothing afterwards.
    Last,
}

/// The scenarios of each file; of one level they are shown in this order, so what takes longest comes first.
static FILES: &[&[Scenario]] = &[
    install::ALL,
    healthy::ALL,
    dashboard::ALL,
    dns::ALL,
    dns_servers::ALL,
    dns_resources::ALL,
    dns_config::ALL,
    alerting::ALL,
    policy::ALL,
    verdicts::ALL,
    throttling::ALL,
    addresses::ALL,
    ranges::ALL,
    sandboxes::ALL,
    endpoints::ALL,
    remedies::ALL,
    wrong::ALL,
    reach::ALL,
    nodes::ALL,
    changes::ALL,
    api_server::ALL,
    backup::ALL,
    endurance::ALL,
    faults::control_plane::ALL,
    faults::dns::ALL,
    faults::ingress::ALL,
    faults::network::ALL,
    faults::node::ALL,
    faults::policy::ALL,
];

const fn bare(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, on: On::Bare, show }
}

const fn shipped(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, on: On::Shipped, show }
}

const fn quick(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, on: On::Quick, show }
}

const fn any(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, on: On::Any, show }
}

const fn last(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, on: On::Last, show }
}

/// All of them, in the order in which they are shown.
pub(crate) fn all() -> impl Iterator<Item = Scenario> {
    let mut all: Vec<Scenario> = FILES.iter().copied().flatten().copied().collect();
    all.sort_by_key(|scenario| scenario.on);
    all.into_iter()
}

impl Scenario {
    /// Whether netvitals goes faster afterwards than it ships.
    pub(crate) const fn quickens(&self) -> bool {
        matches!(self.on, On::Quick | On::Last)
    }

    /// Whether netvitals has no part in it.
    pub(crate) const fn stands_alone(&self) -> bool {
        matches!(self.on, On::Any)
    }

    /// Prepares the stage, shows it, and looks whether all of the stage still stands.
    pub(crate) fn show(&self, stage: &Stage) {
        match self.on {
            On::Bare | On::Any => {}
            On::Shipped => stage.install(),
            On::Quick | On::Last => stage.quick(),
        }
        stage.show(self.show);
        assert_eq!(stage.broken(), None);
    }
}
