//! Clusters and answers for the tests of checks.

mod corefile;
mod nodes;
pub(crate) mod says;

pub(crate) use nodes::{attempts, reaching};

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::check::{Check, Output};
use crate::cluster::{Apply, Change, Clock, Cluster, Event};
use crate::family::Value;
use crate::model::{
    Agent, Counts, DaemonSet, Dns, DnsPath, DnsQuery, DnsRow, Endpoint, EndpointSlice, Fact,
    Failure, Key, Observation, Pod, PodRef, Protocol, Service, Template, Uid, Unanswered, Unknown,
    Vantage, Window,
};
use crate::watch::{self, Watch};

/// Returns a cluster whose kinds are all listed and empty, without those that it may lack.
pub(crate) fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for change in watch::ALL.iter().flat_map(Watch::nothing) {
        let Change::Watched(event) = change else { unreachable!("a watch says nothing else") };
        event.apply(&mut cluster);
    }
    cluster
}

/// Builders: every pod is labelled `app=<its name up to the last dash>` and has one address.
impl Cluster {
    pub(crate) fn with<T: Fact>(mut self, event: Event<T>) -> Self {
        Box::new(event).apply(&mut self);
        self
    }

    pub(crate) fn unlisted<T: Fact>(self) -> Self {
        self.with(Event::<T>::Unavailable(Unknown::NotListed(T::KIND.label)))
    }

    pub(crate) fn undecoded<T: Fact>(self, object: &str) -> Self {
        self.with(Event::<T>::Undecoded(key(object)))
    }

    pub(crate) fn service(self, service: &str) -> Self {
        let key = key(service);
        let selector = [("app", &*key.name)].into();
        let service = Service { selector, routed: true, ..Service::default() };
        self.with(Event::Put(key, service))
    }

    pub(crate) fn pod(self, pod: &str) -> Self {
        self.pod_with(pod, |_| {})
    }

    pub(crate) fn pod_with(self, pod: &str, change: impl FnOnce(&mut Pod)) -> Self {
        let key = key(pod);
        let app = key.name.rsplit_once('-').expect("app-number").0;
        let mut pod = Pod {
            uid: uid(&key.name),
            labels: [("app", app)].into(),
            addresses: [ADDRESS].into_iter().collect(),
            ready: true,
            ..Pod::default()
        };
        change(&mut pod);
        self.with(Event::Put(key, pod))
    }

    /// Adds a DaemonSet that has a pod on each of three nodes.
    pub(crate) fn enforced_by(self, daemon_set: &str) -> Self {
        let set = DaemonSet {
            template: Template { host_network: true, ..Template::default() },
            status: Counts { desired: 3, current: 3, ready: 3, updated: 3, ..Counts::default() },
            ..DaemonSet::default()
        };
        self.with(Event::Put(Key::new("kube-system", daemon_set), set))
    }

    pub(crate) fn slice(self, service: &str, pods: &[&str]) -> Self {
        let key = key(service);
        let endpoint = |name: &&str| Endpoint {
            address: Some(ADDRESS),
            pod: Some(PodRef { name: (*name).into(), uid: uid(name) }),
            node: None,
            ready: true,
            serving: true,
            terminating: false,
        };
        let endpoints = pods.iter().map(endpoint).collect();
        let service = Some(key.name.clone());
        let slice = EndpointSlice { service, managed: true, endpoints, ..EndpointSlice::default() };
        self.with(Event::Put(key, slice))
    }

    pub(crate) fn agent(mut self, node: &str, attempts: u64, failures: u64) -> Self {
        let mostly = (failures > 0).then_some(Failure::Timeout);
        let length = Duration::from_secs(300);
        let row = DnsRow {
            path: DnsPath::Resolver,
            query: DnsQuery::Cluster,
            protocol: Protocol::Udp,
            queries: Window { length, attempts, failures, mostly, ..Window::default() },
            ..DnsRow::default()
        };
        let service = Some(Key::new("kube-system", "kube-dns"));
        let dns = Some(Dns { service, rows: vec![row], ..Dns::default() }.into());
        self.observe(pod_network(node), Observation { dns, ..Observation::default() });
        self
    }

    pub(crate) fn old_agent(mut self, node: &str) -> Self {
        self.observe(pod_network(node), Observation::default());
        self
    }
}

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 7));

fn uid(pod: &str) -> Uid {
    format!("uid-{pod}").as_str().into()
}

fn key(text: &str) -> Key {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    Key::new(namespace, name)
}

fn pod_network(node: &str) -> Agent {
    Agent { node: node.into(), vantage: Vantage::Pod }
}

/// Returns a moment that is `seconds` after the start.
pub(crate) fn at(seconds: u64) -> Clock {
    let uptime = Duration::from_secs(seconds);
    Clock { uptime, unix: Duration::from_secs(1_800_000_000) + uptime }
}

/// What one check said, as text.
pub(crate) struct Answer {
    pub(crate) result: Result<(), Unanswered>,
    pub(crate) findings: Vec<String>,
    pub(crate) samples: Vec<String>,
    pub(crate) gaps: Vec<(&'static str, Unanswered)>,
    pub(crate) statement: String,
}

/// Asks `check`, and holds it to the families and codes that it declares.
pub(crate) fn answer(check: &Check, facts: &Cluster) -> Answer {
    let mut out = Output::default();
    let result = check.ask(facts, &mut out);
    assert!(result.is_err() || !out.statement.is_empty(), "{} states nothing", check.id);
    let mut samples = Vec::new();
    for (desc, series) in out.rows.iter() {
        assert!(check.families.contains(desc), "{} does not declare {}", check.id, desc.name);
        for (labels, value) in series {
            let Value::Number(value) = value else { continue };
            samples.push(format!("{}{{{}}} {value}", desc.name, labels.join(",")));
        }
    }
    let mut findings = Vec::new();
    for finding in &out.findings {
        let code = finding.code.id;
        assert!(check.codes.iter().any(|known| known.id == code), "{code} is not declared");
        findings.push(format!("{code} {}: {}", finding.subject, finding.message));
    }
    let gaps = out.gaps.into_iter().collect();
    Answer { result, findings, samples, gaps, statement: out.statement }
}
