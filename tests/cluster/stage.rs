//! What scenarios share: one cluster, netvitals on it, one Prometheus, and the words in which they say what they expect.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::alertmanager::Alertmanager;
use crate::cluster::Cluster;
use crate::monitor::Monitor;
use crate::netvitals::{Found, Part, findings, roots};
use crate::objects::Objects;
use crate::page::Page;
use crate::tools::source;
use crate::wait::{holds, secs, until};

/// What the agents are told besides, so that a scenario takes minutes: intervals and windows.
const AGENTS: &[&str] = &[
    "NETVITALS_DNS_INTERVAL=250ms",
    "NETVITALS_DNS_WINDOW=30s",
    "NETVITALS_REACH_INTERVAL=1s",
    "NETVITALS_REACH_WINDOW=20s",
];

/// What the cluster role is told besides.
const CLUSTER: &[&str] = &["NETVITALS_PULL_INTERVAL=3s"];

/// The lab's nodes are seconds old; nobody would be judged for five minutes.
pub(crate) const SETTLED: &str = "NETVITALS_YOUNG_NODE=1s";

/// A cluster on which scenarios are shown.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    installed: Cell<bool>,
    quick: Cell<bool>,
    monitor: OnceCell<Monitor>,
    alertmanager: OnceCell<Alertmanager>,
    /// What was there before the scenario that is shown.
    before: RefCell<Option<Objects>>,
}

impl Stage {
    /// A cluster without netvitals yet.
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            installed: Cell::new(false),
            quick: Cell::new(false),
            monitor: OnceCell::new(),
            alertmanager: OnceCell::new(),
            before: RefCell::new(None),
        }
    }

    /// Whether netvitals was installed.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed.get()
    }

    /// Installs netvitals as shipped, once.
    pub(crate) fn install(&self) {
        if !self.installed.replace(true) {
            self.cluster.install(&[SETTLED]);
        }
    }

    /// Installs netvitals, once, with shorter intervals, and waits until it finds nothing.
    pub(crate) fn quick(&self) {
        self.install();
        if !self.quick.replace(true) {
            self.cluster.set_env(Part::Agent, AGENTS);
            self.cluster.set_env(Part::HostAgent, AGENTS);
            self.cluster.set_env(Part::Cluster, CLUSTER);
            self.cluster.installed();
        }
        self.monitor();
        self.healthy(secs(180));
    }

    /// Shows a scenario, which has to leave the cluster's objects as they were.
    pub(crate) fn show(&self, scenario: impl FnOnce(&Self)) {
        let before = Objects::of(&self.cluster).unwrap_or_else(|error| panic!("{error}"));
        self.before.replace(Some(before));
        scenario(self);
        let before = self.before.take().expect("it was written above");
        until("what the scenario made is gone", secs(60), || before.are_all(&self.cluster));
    }

    /// Removes what a scenario has made that failed, so that the next one finds what it expects.
    pub(crate) fn clean(&self) {
        let Some(before) = self.before.take() else { return };
        // What it did not manage to remove, the next one says.
        let _ = catch_unwind(AssertUnwindSafe(|| before.restore(&self.cluster)));
    }

    /// Says which program ended that nobody stopped.
    pub(crate) fn broken(&self) -> Option<String> {
        let monitor = || self.monitor.get()?.ended();
        let alertmanager = || self.alertmanager.get()?.ended();
        self.cluster.broken().or_else(monitor).or_else(alertmanager)
    }

    /// The Alertmanager of the lab, which Prometheus tells, with the shipped inhibitions.
    pub(crate) fn alertmanager(&self) -> &Alertmanager {
        self.alertmanager.get_or_init(|| Alertmanager::start(&self.cluster))
    }

    /// The Prometheus of the lab, with the shipped alerts at a quicker pace.
    pub(crate) fn monitor(&self) -> &Monitor {
        self.monitor.get_or_init(|| {
            let file = source("alerts/netvitals.rules.yaml");
            let shipped = fs::read_to_string(&file);
            let shipped = shipped.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            Monitor::start(&self.cluster, &quicker(&shipped))
        })
    }

    /// The page of every replica of the cluster role; a busy machine may take its time.
    pub(crate) fn pages(&self) -> Vec<Page> {
        until("every replica of the cluster role answers", secs(60), || self.cluster.verdicts())
    }

    /// Waits until `look` accepts the page of every replica of the cluster role.
    pub(crate) fn every_page(
        &self,
        what: &str,
        within: Duration,
        look: impl Fn(&Page) -> Result<(), String>,
    ) {
        until(what, within, || self.cluster.verdicts()?.iter().try_for_each(&look));
    }

    /// Waits until every applicable check is answered, and nothing above info is found.
    pub(crate) fn healthy(&self, within: Duration) {
        self.every_page("every replica finds the cluster healthy", within, healthy);
    }

    /// Waits until a finding is open on every page, and returns it as the first has it.
    pub(crate) fn finds(&self, code: &str, object: &str, within: Duration) {
        self.every_page(&format!("{code} of {object}"), within, |page| {
            let open = findings(page, true);
            let found = open.iter().any(|found| found.code == code && found.object == object);
            holds(found, || format!("open: {}", listed(&open)))
        });
    }

    /// Waits until every page names the root cause.
    pub(crate) fn names_root(&self, code: &str, object: &str, within: Duration) {
        self.every_page(&format!("{code} of {object} is the root cause"), within, |page| {
            let named = roots(page);
            let found = named.iter().any(|(root, of)| root == code && of == object);
            holds(found, || format!("named: {named:?}; open: {}", listed(&findings(page, false))))
        });
    }

    /// Says what is open above info for which `may` does not say that it may be.
    pub(crate) fn nothing_but(&self, may: impl Fn(&Found) -> bool) {
        for page in self.pages() {
            let mut open = findings(&page, false);
            open.retain(|found| !may(found));
            assert!(open.is_empty(), "found besides: {}", listed(&open));
        }
    }
}

/// Whether a page answers every applicable check, and has no finding above info.
pub(crate) fn healthy(page: &Page) -> Result<(), String> {
    let answered = page.all("netvitals_check_answered", &[]);
    holds(!answered.is_empty(), || "no check is answered".into())?;
    let blind: Vec<&str> = answered
        .iter()
        .filter(|sample| sample.value != 1.0)
        .map(|sample| sample.label("check"))
        .collect();
    let unknown = page.all("netvitals_check_unknown", &[]);
    let gaps = page.all("netvitals_check_gaps", &[]);
    holds(blind.is_empty() && gaps.is_empty(), || {
        format!("unanswered: {blind:?} {unknown:?} {gaps:?}")
    })?;
    let open = findings(page, false);
    holds(open.is_empty(), || format!("open: {}", listed(&open)))
}

/// Findings in one line.
pub(crate) fn listed(open: &BTreeSet<Found>) -> String {
    let texts: Vec<String> = open.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join("; ") }
}

/// The same rules with shorter times; only what makes them slow is changed.
fn quicker(rules: &str) -> String {
    let line = |line: &str| {
        let (indent, text) = line.split_at(line.len() - line.trim_start().len());
        let key = text.split(':').next().unwrap_or_default();
        match key {
            "for" => format!("{indent}for: 10s"),
            "keep_firing_for" => format!("{indent}keep_firing_for: 5s"),
            "interval" => format!("{indent}interval: 5s"),
            // A process is young for less, and what still is so is so by now.
            _ => line
                .replace("[5m]", "[1m]")
                .replace("[10m]", "[1m]")
                .replace("[2m]", "[30s]")
                .replace("process_start_time_seconds < 180", "process_start_time_seconds < 5"),
        }
    };
    rules.lines().map(line).collect::<Vec<_>>().join("\n")
}
