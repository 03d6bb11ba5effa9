//! Do policies let ingress controllers in to the pods behind Ingresses?
//!
//! Whoever closes a namespace, or opens it to its own pods alone, shuts out the controller that serves
//! its Ingresses from another one: all is well within, and outside it is 502 or 504. What is asked is
//! whether any pod of the controller may reach the ready pods of each backend, on the ports where those
//! listen, by the policies of both. Told is what surely none may.
//!
//! Left out: Ingresses whose controller nobody knows, which are counted as unjudged; load balancers of
//! clouds, which are no pods; controllers and backends on their nodes' own network; that some pods of a
//! controller may and others not; Routes of gateways; policies of other APIs, which nothing reads.

mod codes;
mod controllers;
mod opening;
mod reach;
mod told;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{BLOCKED, PARTLY_BLOCKED};
use self::controllers::{Controller, Controllers};
use self::reach::{Arrives, Reach, Target};
use self::told::Shut;
use super::WANTS;
use super::engines::{Enforced, Engines};
use super::foreign::foreign;
use super::gaps::Gap;
use super::isolated::Isolated;
use crate::check::words::{count, some};
use crate::check::{Check, Code, Layer, Output};
use crate::cluster::endpoints::slices_of;
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{
    Backend, EndpointSlice, Fact, Ingress, IngressClass, Key, Name, Namespace, NetworkPolicy, Pod,
    Service, ServicePort, Skipped, TargetPort, Unanswered, Unknown,
};
use crate::policy::{Direction, Policies};

/// Judges what ingress controllers may reach.
pub static CHECK: Check = Check {
    id: "policy_ingress_backend",
    layer: Layer::Policy,
    question: "Do policies let ingress controllers in to the pods behind Ingresses?",
    runbook: "NetvitalsIngressBlockedByPolicy",
    needs: &[
        EndpointSlice::KIND,
        Ingress::KIND,
        IngressClass::KIND,
        NetworkPolicy::KIND,
        Pod::KIND,
        Service::KIND,
    ],
    wants: &WANTS,
    families: &[SERVICES.desc()],
    codes: &[&BLOCKED, &PARTLY_BLOCKED],
    run,
};

static SERVICES: Family<1> = Family::gauge(
    "netvitals_ingress_services_blocked_by_policy",
    "Services to which Ingresses lead, by whether policies let the ingress controller in; of an \
     unjudged one no pods are known to serve it.",
    ["verdict"],
);

const NO_ENGINE: Gap = (
    "engine",
    Unknown::Undecided(
        "policies keep an ingress controller from pods, and nothing that is known to enforce them \
         is here; look at whether its Ingresses answer",
    ),
);

/// What policies do to a Service, the gravest last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    Unjudged,
    Open,
    Unknown,
    PartlyBlocked,
    Blocked,
}

/// How Ingresses lead to one Service through one controller.
struct Led<'a> {
    /// The first of them.
    ingress: &'a Key,
    /// All of them.
    ingresses: BTreeSet<&'a Key>,
    ports: BTreeSet<&'a TargetPort>,
}

/// The Services, each with the controllers that send to it; absent is one that nobody knows.
type Backends<'a> = BTreeMap<&'a Key, BTreeMap<Option<usize>, Led<'a>>>;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let ingresses = cluster.read::<Ingress>()?;
    let (pods, table) = (cluster.read::<Pod>()?, cluster.read::<NetworkPolicy>()?);
    let services = cluster.read::<Service>()?;
    cluster.read::<EndpointSlice>()?;
    if ingresses.iter().next().is_none() {
        ingresses.whole()?;
        return Err(Skipped::NotApplicable.into());
    }
    out.lacks("ingresses", ingresses);
    out.lacks("services", services);
    out.lacks("pods", pods);
    let (closed, egress) =
        (Isolated::of(table, Direction::Ingress), Isolated::of(table, Direction::Egress));
    // Where nothing is closed it is all the same.
    let is_closed = !closed.is_empty() || !egress.is_empty();
    let engines = if is_closed { Engines::of(cluster) } else { Engines::default() };
    let enforced = if is_closed { engines.enforced() } else { Enforced::No };
    let policies = Policies::new(table, cluster.last_known::<Namespace>()).beside(foreign(cluster));
    let mut view =
        View { cluster, pods, closed, enforced, reach: Reach::new(policies, engines, egress) };
    let mut controllers = Controllers::of(cluster)?;
    let mut numbers: BTreeMap<Verdict, usize> = Verdict::ALL.map(|it| (it, 0)).into();
    for (key, led) in backends(ingresses, services, &mut controllers, out)? {
        let Some(service) = services.get(key) else { continue };
        let verdict = view.tell(out, (key, service), &led, &controllers)?;
        *numbers.entry(verdict).or_default() += 1;
    }
    for (verdict, number) in &numbers {
        out.sample(&SERVICES, [verdict.as_str()], *number as f64);
    }
    let mut text = statement(&numbers);
    if enforced == Enforced::No && is_closed {
        text += ": nothing enforces policies here";
    }
    out.statement(text);
    Ok(())
}

/// Returns the Services that are there and to which Ingresses lead.
fn backends<'a>(
    ingresses: &'a Table<Ingress>,
    services: &'a Table<Service>,
    controllers: &mut Controllers<'a>,
    out: &mut Output,
) -> Result<Backends<'a>, Unanswered> {
    let mut all = Backends::new();
    let live = ingresses.iter().filter(|(_, it)| !it.terminating && !it.is_redirect);
    for (key, ingress) in live {
        let controller = match controllers.serving(ingress) {
            Ok(controller) => controller,
            Err(Unanswered::Unknown(why)) => {
                out.gap("endpointslices", why);
                None
            }
            Err(skipped @ Unanswered::Skipped(_)) => return Err(skipped),
        };
        let paths = ingress.paths.iter().map(|path| &path.backend);
        for backend in ingress.default.iter().chain(paths) {
            let Backend::Service { name, port } = backend else { continue };
            let service = Key { namespace: key.namespace.clone(), name: name.clone() };
            let Some((service, found)) = services.get_key_value(&service) else { continue };
            if found.external_name {
                continue;
            }
            let new = || Led { ingress: key, ingresses: <_>::default(), ports: <_>::default() };
            let led = all.entry(service).or_default().entry(controller).or_insert_with(new);
            led.ingresses.insert(key);
            led.ports.insert(port);
        }
    }
    Ok(all)
}

fn statement(numbers: &BTreeMap<Verdict, usize>) -> String {
    let number = |verdict| numbers.get(&verdict).copied().unwrap_or_default();
    let shut = number(Verdict::Blocked) + number(Verdict::PartlyBlocked);
    let all = some(numbers.values().sum(), "Service");
    let mut text = format!(
        "{} of {all} behind Ingresses shut to ingress controllers by policies",
        count(shut)
    );
    if number(Verdict::Unknown) > 0 {
        text += &format!(", of {} it is not known", count(number(Verdict::Unknown)));
    }
    if number(Verdict::Unjudged) > 0 {
        let unjudged = count(number(Verdict::Unjudged));
        text += &format!(", {unjudged} without a controller that is known");
    }
    text
}

/// All that is looked at.
struct View<'a> {
    cluster: &'a Cluster,
    pods: &'a Table<Pod>,
    /// Where policies speak of what pods get.
    closed: Isolated<'a>,
    enforced: Enforced,
    reach: Reach<'a>,
}

impl<'a> View<'a> {
    /// Says what policies do to a Service, and tells the gravest.
    fn tell(
        &mut self,
        out: &mut Output,
        (key, service): (&'a Key, &'a Service),
        led: &BTreeMap<Option<usize>, Led<'a>>,
        controllers: &Controllers<'a>,
    ) -> Result<Verdict, Unanswered> {
        let mut worst = Verdict::Unjudged;
        let mut shut: Option<(Verdict, Shut<'_, 'a>)> = None;
        for (number, led) in led {
            let Some(controller) = number.and_then(|it| controllers.get(it)) else { continue };
            let may_be_shut = self.closed.has(&key.namespace) || self.reach.isolates(controller);
            if self.enforced == Enforced::No || !may_be_shut {
                worst = worst.max(Verdict::Open);
                continue;
            }
            let (verdict, arrives) = match self.judge(key, service, controller, &led.ports) {
                Ok(judged) => judged,
                Err(Unanswered::Unknown(why)) => {
                    out.gap("endpointslices", why);
                    worst = worst.max(Verdict::Unknown);
                    continue;
                }
                Err(skipped @ Unanswered::Skipped(_)) => return Err(skipped),
            };
            if verdict == Verdict::Unknown {
                let (part, why) = arrives.doubt.unwrap_or(NO_ENGINE);
                out.gap(part, why);
            }
            if verdict.code().is_some() && shut.as_ref().is_none_or(|(than, _)| verdict > *than) {
                let (ingress, ingresses) = (led.ingress, led.ingresses.len());
                shut = Some((verdict, Shut { controller, ingress, ingresses, arrives }));
            }
            worst = worst.max(verdict);
        }
        if let Some((verdict, shut)) = shut
            && let Some(code) = verdict.code()
        {
            out.finding(shut.finding(code, (key, service), &self.reach.policies, self.pods));
        }
        Ok(worst)
    }

    /// Says what policies do to what one controller sends to such ports of a Service.
    fn judge(
        &mut self,
        service: &'a Key,
        fact: &Service,
        controller: &Controller<'a>,
        wanted: &BTreeSet<&TargetPort>,
    ) -> Result<(Verdict, Arrives<'a>), Unanswered> {
        let mut arrives = Arrives::default();
        for slice in slices_of(self.cluster, service)? {
            let of = |name: &Name| fact.ports.iter().find(|port| port.name == *name);
            let is_wanted = |name| of(name).is_some_and(|it| wanted.iter().any(|to| leads(to, it)));
            let ports = || slice.ports.iter().filter(|port| is_wanted(&port.name));
            for endpoint in slice.endpoints.iter().filter(|it| it.gets_traffic()) {
                let Some(named) = &endpoint.pod else { continue };
                let key = Key { namespace: service.namespace.clone(), name: named.name.clone() };
                let pod = self.pods.get(&key).filter(|it| it.uid == named.uid);
                // What a slice has wrong is told by `endpoint_mismatch`.
                let Some(pod) = pod.filter(|pod| !pod.host_network && !pod.ended) else { continue };
                for port in ports() {
                    let Some(number) = port.port else { continue };
                    let to = Target {
                        namespace: &service.namespace,
                        name: &named.name,
                        pod,
                        protocol: port.protocol,
                        port: number,
                    };
                    let way = self.reach.any(controller, to);
                    arrives.add(to, way);
                }
            }
        }
        let verdict = match (&arrives.doubt, arrives.open.is_empty(), arrives.shut.is_empty()) {
            (Some(_), ..) => Verdict::Unknown,
            (None, _, true) => Verdict::Open,
            _ if self.enforced == Enforced::Unknown => Verdict::Unknown,
            (None, true, false) => Verdict::Blocked,
            (None, false, false) => Verdict::PartlyBlocked,
        };
        Ok((verdict, arrives))
    }
}

/// Whether an Ingress that names a port means this one of the Service: by its number or its name, and
/// at ingress-nginx by where it leads as well.
fn leads(wanted: &TargetPort, port: &ServicePort) -> bool {
    let by_itself = match wanted {
        TargetPort::Number(number) => port.port == *number,
        TargetPort::Name(name) => port.name == *name,
    };
    by_itself || port.target == *wanted
}

impl Verdict {
    const ALL: [Self; 5] =
        [Self::Unjudged, Self::Open, Self::Unknown, Self::PartlyBlocked, Self::Blocked];

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unjudged => "unjudged",
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::PartlyBlocked => "partly_blocked",
            Self::Blocked => "blocked",
        }
    }

    /// What is to be told of it.
    const fn code(self) -> Option<&'static Code> {
        match self {
            Self::PartlyBlocked => Some(&PARTLY_BLOCKED),
            Self::Blocked => Some(&BLOCKED),
            Self::Unjudged | Self::Open | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests;
