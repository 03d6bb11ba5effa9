//! Do policies let anybody in to the pods behind each Service?
//!
//! Whoever closes a namespace and opens too little, or the port of the Service in the place of the
//! pods', has pods that are ready, endpoints, and a Service that answers nobody. Looked at is what
//! EndpointSlices name, as traffic finds it. A port that is open to somebody is open here: who that
//! is has to be asked of whoever should reach it.
//!
//! Left out: what a node sends to its own pods, which no policy keeps away; pods on their nodes' own
//! network; policies of other APIs, which nothing reads.

mod codes;
mod ports;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

pub use self::codes::{BLOCKED, PARTLY_BLOCKED, PORT_BLOCKED};
use self::ports::{Port, Way};
use super::WANTS;
use super::engines::{Enforced, Engines};
use super::foreign::foreign;
use super::gaps::{Gap, NOT_UNDERSTOOD, OTHER_API, UNDECODED};
use super::isolated::Isolated;
use super::object::{allowing, labels};

use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::endpoints::slices_of;
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{
    EndpointSlice, Fact, Key, Name, Namespace, NetworkPolicy, Pod, Ports, Protocol, Service,
    Unanswered, Unknown,
};
use crate::policy::{Direction, Policies, Reason, Verdict};

/// Judges who may reach what EndpointSlices name.
pub static CHECK: Check = Check {
    id: "policy_service_ingress",
    layer: Layer::Policy,
    question: "Do policies let anybody in to the pods behind each Service?",
    runbook: "NetvitalsServiceBlockedByPolicy",
    needs: &[EndpointSlice::KIND, NetworkPolicy::KIND, Pod::KIND, Service::KIND],
    wants: &WANTS,
    families: &[SERVICES.desc()],
    codes: &[&BLOCKED, &PARTLY_BLOCKED, &PORT_BLOCKED],
    run,
};

static SERVICES: Family<1> = Family::gauge(
    "netvitals_services_blocked_by_policy",
    "Services to whose pods, to some of them, or on some of whose ports policies let nobody in; an \
     unknown one may be open.",
    ["verdict"],
);

/// The verdict where it depends on what cannot be seen: a 0 of the others proves nothing then.
const UNKNOWN: &str = "unknown";

const NO_ENGINE: Gap = (
    "engine",
    Unknown::Undecided(
        "policies let nobody in to a Service, and nothing that is known to enforce them is here; \
         look at whether it answers",
    ),
);

const PORT_NAMES: Gap = (
    "ports",
    Unknown::Undecided(
        "a rule names a port, and pods behind a Service declare none of that name; give its number",
    ),
);

/// All that is looked at.
struct View<'a> {
    policies: Policies<'a>,
    pods: &'a Table<Pod>,
    enforced: Enforced,
}

/// What is known of pods that no policy tells apart, on one port.
type Known<'a> = HashMap<(usize, &'a Ports, Protocol, u16), Verdict<'a>>;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (pods, table) = (cluster.read::<Pod>()?, cluster.read::<NetworkPolicy>()?);
    let services = cluster.read::<Service>()?;
    cluster.read::<EndpointSlice>()?;
    out.lacks("services", services);
    let isolated = Isolated::of(table, Direction::Ingress);
    // Where nothing is closed it is all the same.
    let enforced = if isolated.is_empty() { Enforced::No } else { Engines::of(cluster).enforced() };
    let namespaces = cluster.last_known::<Namespace>();
    let policies = Policies::new(table, namespaces).beside(foreign(cluster));
    let view = View { policies, pods, enforced };
    let mut known = Known::new();
    let mut numbers: BTreeMap<&str, usize> =
        ["blocked", "partly_blocked", "port_blocked", UNKNOWN].map(|verdict| (verdict, 0)).into();
    let mut all = 0_usize;
    for (key, service) in services.iter().filter(|(_, service)| !service.external_name) {
        all += 1;
        if enforced == Enforced::No || !isolated.has(&key.namespace) {
            continue;
        }
        let ports = match view.ports(cluster, key, &mut known) {
            Ok(ports) => ports,
            Err(Unanswered::Unknown(why)) => {
                out.gap("endpointslices", why);
                *numbers.entry(UNKNOWN).or_default() += 1;
                continue;
            }
            Err(skipped @ Unanswered::Skipped(_)) => return Err(skipped),
        };
        match judge(&ports, view.enforced) {
            Ok(None) => {}
            Ok(Some((verdict, code))) => {
                *numbers.entry(verdict).or_default() += 1;
                out.finding(view.finding(code, key, service, &ports));
            }
            Err((part, why)) => {
                out.gap(part, why);
                *numbers.entry(UNKNOWN).or_default() += 1;
            }
        }
    }
    for (verdict, number) in &numbers {
        out.sample(&SERVICES, [*verdict], *number as f64);
    }
    let undecided = numbers[UNKNOWN];
    let shut = numbers.values().sum::<usize>() - undecided;
    let mut text = format!("{} of {} shut by policies", count(shut as u64), some(all, "Service"));
    if undecided > 0 {
        text += &format!(", of {} it is not known", count(undecided as u64));
    }
    if enforced == Enforced::No && !isolated.is_empty() {
        text += ", which nothing enforces here";
    }
    out.statement(text);
    Ok(())
}

/// Says what policies do to a Service with such ports, or what would have to be known.
fn judge(
    ports: &[Port<'_>],
    enforced: Enforced,
) -> Result<Option<(&'static str, &'static Code)>, Gap> {
    let mut ways = BTreeSet::new();
    for port in ports {
        ways.insert(port.way().map_err(gap)?);
    }
    let found = match (ways.contains(&Way::Open), ways.contains(&Way::Shut)) {
        _ if ways.contains(&Way::Partly) => ("partly_blocked", &PARTLY_BLOCKED),
        (true, true) => ("port_blocked", &PORT_BLOCKED),
        (false, true) => ("blocked", &BLOCKED),
        (_, false) => return Ok(None),
    };
    match enforced {
        Enforced::Yes => Ok(Some(found)),
        Enforced::No => Ok(None),
        Enforced::Unknown => Err(NO_ENGINE),
    }
}

/// Names what is missing for an answer.
fn gap(reason: Reason) -> Gap {
    match reason {
        Reason::Undecoded => UNDECODED,
        Reason::OtherApi(_) => OTHER_API,
        Reason::PortName => PORT_NAMES,
        // Of these, only the first is ever asked here.
        Reason::NotUnderstood
        | Reason::NoAddress
        | Reason::NameOfRange
        | Reason::HostNetwork
        | Reason::Namespace => NOT_UNDERSTOOD,
    }
}

impl<'a> View<'a> {
    /// Returns the ports on which a Service's traffic arrives at pods of their own network.
    fn ports(
        &self,
        cluster: &'a Cluster,
        service: &Key,
        known: &mut Known<'a>,
    ) -> Result<Vec<Port<'a>>, Unanswered> {
        let mut ports: BTreeMap<(&Name, Protocol), Port<'a>> = BTreeMap::new();
        for slice in slices_of(cluster, service)? {
            for endpoint in slice.endpoints.iter().filter(|it| it.gets_traffic()) {
                let Some(named) = &endpoint.pod else { continue };
                let key = Key { namespace: service.namespace.clone(), name: named.name.clone() };
                let Some(pod) = self.pods.get(&key).filter(|it| it.uid == named.uid) else {
                    // What a slice has wrong is told by `endpoint_mismatch`.
                    continue;
                };
                let group = self.policies.group(&key.namespace, &pod.labels);
                for port in &slice.ports {
                    let Some(number) = port.port else { continue };
                    let of = (group, &pod.ports, port.protocol, number);
                    let verdict = known
                        .entry(of)
                        .or_insert_with(|| self.policies.admits(&key, pod, port.protocol, number));
                    let entry = ports.entry((&port.name, port.protocol));
                    let new = || Port::new(port.protocol);
                    entry.or_insert_with(new).add(number, &named.name, verdict);
                }
            }
        }
        Ok(ports.into_values().collect())
    }

    fn finding(
        &self,
        code: &'static Code,
        key: &Key,
        service: &Service,
        ports: &[Port<'a>],
    ) -> Finding {
        let shut: Vec<&Port<'_>> = ports.iter().filter(|port| port.is_shut_to_one()).collect();
        let numbers: BTreeSet<u16> = shut.iter().flat_map(|port| port.numbers()).collect();
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let numbers = numbers.join(", ");
        let one = shut.first().and_then(|port| port.one());
        let by = one.map(|(_, by)| by).unwrap_or_default();
        let isolating = by.first().map(|key| &key.name);
        let policy = match by {
            [] => "a policy".to_owned(),
            [only] => format!("NetworkPolicy {}", only.name),
            [one, others @ ..] => {
                format!(
                    "NetworkPolicy {}, together with {} more,",
                    one.name,
                    count(others.len() as u64)
                )
            }
        };
        let message = if code.id == PARTLY_BLOCKED.id {
            let (shut, all) = shut.iter().map(|port| port.pods()).max().unwrap_or_default();
            format!(
                "{policy} lets nobody in to {} of {} behind it, on port {numbers}: look at the labels that the \
                 policies select",
                count(shut as u64),
                some(all, "pod")
            )
        } else {
            format!(
                "{policy} lets nobody in to its pods on their port {numbers}: look at the ports and peers of their \
                 ingress"
            )
        };
        Finding::of::<Service>(code, key.clone(), message)
            .with("pod", one.map(|(pod, _)| pod))
            .with("isolating", isolating)
            .with("policy", self.opening(code, key, service, &shut))
    }

    /// Returns, as JSON, a policy that lets pods of the namespace in; none where it would close what is open now.
    fn opening(
        &self,
        code: &Code,
        key: &Key,
        service: &Service,
        shut: &[&Port<'a>],
    ) -> Option<String> {
        if code.id == PARTLY_BLOCKED.id || service.selector.is_empty() {
            return None;
        }
        let all = self.pods.last_known_namespace(&key.namespace);
        let selected = all.filter(|(_, pod)| service.selects(pod));
        if !self.policies.isolate_all(Direction::Ingress, selected) {
            return None;
        }
        let ports: Vec<Value> = shut.iter().flat_map(|port| port.as_rule()).collect();
        let rule = json!({"from": [{"podSelector": {}}], "ports": ports});
        let selector = json!({"matchLabels": labels(service.selector.iter())});
        allowing(&format!("{}-ingress", key.name), &selector, Direction::Ingress, &rule)
    }
}

#[cfg(test)]
mod tests;
