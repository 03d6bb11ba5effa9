//! Do DNS servers answer with the addresses that Services have now?
//!
//! A CoreDNS that lost the API stays ready and goes on answering from what it last knew: old
//! Services resolve, new ones do not exist. So every replica is asked for the newest Services,
//! whose addresses agents know from their plan, and a ratio of success cannot show it.
//!
//! A server may hide Services by design: CoreDNS has `ignore empty_service`, `namespaces` and
//! `labels` for it, and plugins that answer in the place of a Service. So the API alone proves
//! nothing: wrong is a replica that says otherwise than others, which answer as the API says, and
//! one that once did so itself and goes on with addresses that the API has changed since. Where the
//! Corefile can be read and hides a Service, a replica that does not know it does as it is told, and
//! another that does has not taken the Corefile up yet; `labels` is left to what others answer.
//!
//! Left out: agents whose plan is old, and all while the API is silent, because a Service that
//! agents ask for may be another by now.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::corefile::{Told, told};
use super::pods::{Pods, endpoints};
use super::queries::{Queries, fails, is_there, mostly, queries, service};
use crate::check::observers::Observers;
use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Symptom};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    DnsPath, EndpointSlice, Fact, Failure, Key, Kind, Name, Node, Pod, Replica, Service,
    Unanswered, Unknown, Window,
};

/// Compares answers with what the API says.
pub static CHECK: Check = Check {
    id: "dns_answers",
    layer: Layer::Dns,
    question: "Do DNS servers answer with the addresses that Services have now?",
    runbook: "NetvitalsDNSAnswersWrong",
    needs: &[],
    wants: &[EndpointSlice::KIND, Service::KIND],
    families: &[WRONG_ANSWERS.desc()],
    codes: &[&WRONG],
    run,
};

static WRONG_ANSWERS: Family<2> = Family::gauge(
    "netvitals_dns_wrong_answers",
    "Services that are answered wrongly now: by the replicas on a node, or by its resolver.",
    ["node", "path"],
);

/// A server says something else than the API.
pub static WRONG: Code = Code::problem(
    "dns_answers.wrong",
    &[Node::KIND, Pod::KIND, Service::KIND],
)
// A Service that is deleted is asked for until the agents' next plan.
.after(60)
.explain(
    "A DNS server answers with addresses that the Service does not have any more, or says that \
         there is no such name while others know it: mostly a CoreDNS that lost the API and \
         answers from memory.",
)
.felt_as(&[Symptom::AgentsAsk])
.remedies(&[
    Remedy::inspect("kubectl -n {dns_namespace} logs -l {selector} --prefix --tail=200"),
    Remedy::inspect("kubectl -n {dns_namespace} describe {owner}"),
    Remedy::fix(
        "kubectl -n {dns_namespace} rollout restart {owner}",
        "replicas restart one after the other, and their caches begin empty; there is nothing \
             to undo",
    ),
    Remedy::verify("kubectl -n {dns_namespace} get pods -l {selector} -o wide"),
]);

/// An agent whose plan is older may ask for Services that are gone. Less than the grace: what it
/// cannot know yet must not last.
const PLAN_OLD: Duration = Duration::from_secs(45);

/// What agents know of one replica and one Service.
#[derive(Default)]
struct Answered {
    /// The agents that are answered, and those that are answered wrongly.
    observers: Observers,
    /// Those that are told that there is no such name.
    absent: usize,
    /// Whether it ever answered rightly.
    known: bool,
}

impl Answered {
    fn is_wrong(&self) -> bool {
        self.observers.failing * 2 > self.observers.all
    }

    /// Whether most of those that are answered wrongly are told that there is no such name.
    fn is_absent(&self) -> bool {
        self.absent * 2 >= self.observers.failing
    }

    /// Whether it goes on with addresses that were the Service's once.
    fn is_stale(&self) -> bool {
        self.is_wrong() && self.known && !self.is_absent()
    }
}

/// By Service and replica.
type ByService<'a> = BTreeMap<&'a Key, BTreeMap<&'a Replica, Answered>>;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let said = queries(cluster, out)?;
    let mut why = Unknown::NoResolver;
    let mut answers = ByService::new();
    for it in &said {
        match it.plan_age {
            Err(no) if no == Unknown::NoPlan.into() => {
                why = Unknown::NoPlan;
                out.gap("plans", why);
            }
            Ok(age) if age > PLAN_OLD => {
                if !it.dns.answers.is_empty() {
                    out.gap("plans", Unknown::Stale("plan"));
                }
            }
            _ => collect(it, &mut answers),
        }
    }
    let asked = !answers.is_empty();
    // What the API changed while it was not heard, replicas may well know.
    if let Some(silent) = silent(cluster).filter(|_| asked) {
        out.gap("services", silent);
        answers.clear();
    }
    let mut resolvers = Vec::new();
    for it in &said {
        match it.unasked() {
            None => resolvers.push(it),
            Some(Unknown::TooFewSamples) => why = why.max(Unknown::TooFewSamples),
            Some(unasked) => out.gap("resolvers", unasked),
        }
    }
    if !asked && resolvers.is_empty() {
        return Err(why.into());
    }
    if let Err(why) = is_there(cluster) {
        out.gap("replicas", why);
    }
    let service = service(cluster, &said);
    let dns = Pods::of(cluster, &service);
    let replicas: BTreeSet<&Replica> = answers.values().flat_map(BTreeMap::keys).copied().collect();
    // Most often nothing is missed, and nobody has to know.
    let known = LazyCell::new(|| told(cluster).ok());
    let hides = |service: &Key| known.as_ref().is_some_and(|told| hides(cluster, told, service));
    let (all, wrong) = judge_replicas(&answers, &hides, &dns, out);
    let misled = judge_resolvers(&resolvers, service, &dns, out);
    out.statement(format!(
        "{} of {} right at {}, {} of {} right",
        count(all - wrong),
        some(all, "answer"),
        some(replicas.len(), "replica"),
        count(resolvers.len() - misled),
        some(resolvers.len(), "resolver"),
    ));
    Ok(())
}

fn collect<'a>(said: &Queries<'a>, answers: &mut ByService<'a>) {
    for row in said.dns.answers.iter().filter(|row| row.answered > 0) {
        let replicas = answers.entry(&row.service).or_default();
        let answered = replicas.entry(&row.replica).or_default();
        answered.observers.add(row.wrong_now);
        answered.absent += usize::from(row.absent_now);
        answered.known |= row.known;
    }
}

/// Returns which of the kinds that expectations are made of the API is silent about.
fn silent(cluster: &Cluster) -> Option<Unanswered> {
    let silent = |kind: &'static Kind| {
        let is_followed = cluster.has_answered(kind);
        (is_followed && !cluster.freshness(kind).up).then(|| Unknown::Stale(kind.name).into())
    };
    [Service::KIND, EndpointSlice::KIND].into_iter().find_map(silent)
}

/// Whether the Corefile hides a Service's name; what its slices say is not known then is no reason.
fn hides(cluster: &Cluster, told: &Told, service: &Key) -> bool {
    let is_empty = endpoints(cluster, service).is_ok_and(|number| number == 0);
    told.hides(service, is_empty)
}

/// Judges what each replica says of each Service; returns how many answers prove something, and how
/// many of them are wrong.
fn judge_replicas(
    answers: &ByService<'_>,
    hides: &dyn Fn(&Key) -> bool,
    dns: &Pods,
    out: &mut Output,
) -> (usize, usize) {
    let (mut all, mut amiss) = (0, 0);
    let mut on_node: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut by_replica: BTreeMap<&Replica, Vec<&Key>> = BTreeMap::new();
    for (service, replicas) in answers {
        let differs = replicas.values().any(|it| !it.is_wrong());
        let hides = replicas.values().any(|it| it.is_wrong() && it.is_absent()) && hides(service);
        let is_wrong = |it: &Answered| match () {
            () if hides && it.is_absent() => false,
            () if differs => it.is_wrong(),
            () => it.is_stale(),
        };
        let wrong: BTreeSet<&Replica> =
            replicas.iter().filter(|(_, it)| is_wrong(it)).map(|(replica, _)| *replica).collect();
        // Where all hide a name, or answer in its place, that is none of the answers.
        let hidden = replicas.values().filter(|it| it.is_wrong() && !is_wrong(it)).count();
        (all, amiss) = (all + replicas.len() - hidden, amiss + wrong.len());
        for replica in replicas.keys() {
            *on_node.entry(&replica.node).or_default() += usize::from(wrong.contains(replica));
        }
        if replicas.len() > 1 && wrong.len() == replicas.len() {
            let message = format!(
                "all {} replicas answer with addresses that it had before: look at whether they \
                 reach the API",
                wrong.len()
            );
            out.finding(dns.name(Finding::of::<Service>(&WRONG, (*service).clone(), message)));
        } else {
            wrong.into_iter().for_each(|it| by_replica.entry(it).or_default().push(service));
        }
    }
    for (node, wrong) in on_node {
        out.sample(&WRONG_ANSWERS, [node, DnsPath::Replica.as_str()], wrong as f64);
    }
    for (replica, services) in by_replica {
        let message = format!(
            "answers wrongly for {} of the Services that it is asked for, first {}: look at whether \
             it reaches the API",
            services.len(),
            services[0]
        );
        let finding = Finding::of::<Pod>(&WRONG, replica.pod.clone(), message);
        out.finding(dns.name(finding.on(&replica.node)));
    }
    (all, amiss)
}

/// Finds resolvers that answer `kubernetes.default` wrongly; when most do, that is one finding.
/// Returns how many do.
fn judge_resolvers(said: &[&Queries<'_>], service: Key, dns: &Pods, out: &mut Output) -> usize {
    let mut wrong = Vec::new();
    for it in said {
        let headline = it.headline();
        let because = matches!(
            headline.mostly,
            Some(Failure::WrongAnswer | Failure::Nxdomain | Failure::Nodata)
        );
        let is_wrong = because && fails(&headline);
        if is_wrong {
            wrong.push((it.node, headline));
        }
        let value = f64::from(u8::from(is_wrong));
        out.sample(&WRONG_ANSWERS, [it.node, DnsPath::Resolver.as_str()], value);
    }
    let Some((first, headline)) = wrong.first() else { return 0 };
    let why = |headline: &Window| {
        format!(
            "{} of {} queries for kubernetes.default were answered wrongly, mostly with {}",
            headline.failures,
            headline.attempts,
            mostly(headline)
        )
    };
    if wrong.len() * 2 > said.len() {
        let (count, all, why) = (wrong.len(), said.len(), why(headline));
        let message = format!(
            "on {count} of {all} nodes; on {first} {why}: look at the zones of the Corefile"
        );
        out.finding(dns.name(Finding::of::<Service>(&WRONG, service, message)));
        return wrong.len();
    }
    for (node, headline) in &wrong {
        let message = format!(
            "{}: look at the nameservers and search domains that its kubelet gives to pods",
            why(headline)
        );
        out.finding(dns.name(Finding::of_node(&WRONG, node, message)));
    }
    wrong.len()
}

#[cfg(test)]
mod tests;
