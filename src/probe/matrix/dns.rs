//! The servers that are asked, and what they are asked.
//!
//! The headline is what a workload feels: its nameserver, a name that surely exists, over UDP.
//! All other rows say where it breaks, and never enter it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Maker, api};
use crate::model::{
    DnsPath, DnsPlan, DnsQuery, ExpectedPlan, Key, ProbeKind, Protocol, Replica, Vantage,
};
use crate::probe::dns::{Expected, Question};
use crate::probe::job::{Ask, Job, Row};

/// A random name evicts another from a server's cache of denials: no more than one a minute,
/// after jitter.
const SLOW: Duration = Duration::from_secs(75);

/// The queries within one interval, the headline and the slow ones aside: two a second where
/// that is 10 s, or a thousand agents would be a load.
const BUDGET: f64 = 18.0;

const ADDRESSES: usize = 4;
const REPLICAS: usize = 16;
const EXPECTED: usize = 8;

/// What a resolver takes where it is told nothing.
const DOMAIN: &str = "cluster.local";

/// A name that surely exists.
struct KnownName {
    question: Question,
    /// The same in the other family.
    other: Question,
    expected: Expected,
}

impl KnownName {
    fn udp(&self) -> Ask {
        Ask::Query(self.question.clone(), self.expected.clone())
    }

    fn tcp(&self) -> Ask {
        Ask::TcpQuery(self.question.clone(), self.expected.clone())
    }
}

pub(super) fn add(maker: &mut Maker<'_>) {
    let begin = maker.made.jobs.len();
    let domain = maker.conf.domain.as_deref().unwrap_or(DOMAIN).to_owned();
    let name = service_name(&api(), &domain);
    let addresses = maker.api_addresses();
    let like = addresses.first().copied().unwrap_or(V4);
    let other = if like.is_ipv4() { V6 } else { V4 };
    let questions = (Question::addresses(&name, like), Question::addresses(&name, other));
    let (Ok(question), Ok(other)) = questions else {
        maker.made.denied += 1;
        return;
    };
    let known = KnownName { question, other, expected: exactly(&addresses, like) };
    // A node's own file says nothing of the cluster: a guess at its names would find servers
    // wrong that are not, and the node's nameserver need not know them.
    if maker.conf.domain.is_some() || maker.scope.vantage == Vantage::Pod {
        resolver(maker, &known, &domain);
        if let Some(dns) = maker.plan.and_then(|plan| plan.dns.as_ref()) {
            service(maker, dns, &known);
            replicas(maker, dns, &known, &domain);
        }
    }
    canary(maker, &known.question);
    stretch(&mut maker.made.jobs[begin..], maker.scope.dns_interval);
}

/// What workloads do, from the file that they have.
fn resolver(maker: &mut Maker<'_>, known: &KnownName, domain: &str) {
    let Some(nameserver) = maker.conf.nameservers.first().copied() else { return };
    let server = nameserver.at(maker.scope.dns_port);
    let every = maker.scope.dns_interval;
    let row = |query, protocol| row(DnsPath::Resolver, query, protocol, None);
    maker.add(row(DnsQuery::Cluster, Protocol::Udp), server, known.udp(), every);
    maker.add(row(DnsQuery::Cluster, Protocol::Tcp), server, known.tcp(), every);
    if is_link_local(nameserver.address) {
        // The same server by another name: seldom, only to tell the path apart.
        let nodelocal = self::row(DnsPath::Nodelocal, DnsQuery::Cluster, Protocol::Udp, None);
        maker.add(nodelocal, server, known.udp(), every * 3);
    }
    let pair = Ask::Pair([known.question.clone(), known.other.clone()], known.expected.clone());
    maker.add(row(DnsQuery::Pair, Protocol::Udp), server, pair, every * 3);
    let random = Ask::Random(format!("default.svc.{domain}."));
    maker.add(row(DnsQuery::Negative, Protocol::Udp), server, random, SLOW.max(every));
    if let Some(name) = maker.scope.external.clone() {
        match Question::v4(&name) {
            Ok(question) => {
                let ask = Ask::Whole(question, Expected::Address);
                maker.add(row(DnsQuery::External, Protocol::Udp), server, ask, every * 3);
            }
            Err(_) => maker.made.denied += 1,
        }
    }
}

/// The Service's address: fails where kube-proxy does, while its replicas answer.
fn service(maker: &mut Maker<'_>, dns: &DnsPlan, known: &KnownName) {
    let every = maker.scope.dns_interval;
    for address in maker.capped(&dns.addresses, ADDRESSES) {
        let row = |protocol| row(DnsPath::Service, DnsQuery::Cluster, protocol, None);
        maker.add(row(Protocol::Udp), *address, known.udp(), every);
        maker.add(row(Protocol::Tcp), *address, known.tcp(), every);
    }
}

/// Each replica, and whether it knows what it should.
fn replicas(maker: &mut Maker<'_>, dns: &DnsPlan, known: &KnownName, domain: &str) {
    let every = maker.scope.dns_interval;
    let services = maker.capped(&dns.expected, EXPECTED);
    for plan in maker.capped(&dns.replicas, REPLICAS) {
        let replica = || Some(plan.replica.clone());
        let row = |query| row(DnsPath::Replica, query, Protocol::Udp, replica());
        maker.add(row(DnsQuery::Cluster), plan.address, known.udp(), every);
        if let Ok(version) = Question::texts(&format!("dns-version.{domain}.")) {
            let ask = Ask::Query(version, Expected::Something);
            maker.add(row(DnsQuery::Version), plan.address, ask, SLOW.max(every));
        }
        for service in services {
            let row =
                Row::Answer { replica: plan.replica.clone(), service: service.service.clone() };
            match answer(service, domain) {
                Some(ask) => maker.add(row, plan.address, ask, every * 3),
                None => maker.made.denied += 1,
            }
        }
    }
}

/// Asks for a Service by its name; one that has no name or no address cannot be asked for.
fn answer(plan: &ExpectedPlan, domain: &str) -> Option<Ask> {
    let like = *plan.addresses.first()?;
    let question = Question::addresses(&service_name(&plan.service, domain), like).ok()?;
    let expected = match (exactly(&plan.addresses, like), plan.any) {
        (Expected::All(addresses), true) => Expected::OneOf(addresses),
        (expected, _) => expected,
    };
    Some(Ask::Whole(question, expected))
}

/// An address that serves no DNS: what answers there answers everywhere.
fn canary(maker: &mut Maker<'_>, question: &Question) {
    let Some(peer) = maker.plan.and_then(|plan| plan.peers.first()) else { return };
    let address = SocketAddr::new(peer.address.ip(), 53);
    let ask = Ask::Query(question.clone(), Expected::Anything);
    maker.add(Row::Canary { probe: ProbeKind::Udp }, address, ask, super::reach::CANARY);
}

/// Makes all rows but the headline rarer, where there are many.
fn stretch(jobs: &mut [Job], interval: Duration) {
    let is_headline =
        |job: &Job| job.row == row(DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp, None);
    let mut others: Vec<&mut Job> =
        jobs.iter_mut().filter(|job| !is_headline(job) && job.every < SLOW).collect();
    let queries = |job: &&mut Job| interval.as_secs_f64() / job.every.as_secs_f64();
    let factor = others.iter().map(queries).sum::<f64>() / BUDGET;
    if factor > 1.0 {
        others.iter_mut().for_each(|job| job.every = job.every.mul_f64(factor));
    }
}

fn row(path: DnsPath, query: DnsQuery, protocol: Protocol, replica: Option<Replica>) -> Row {
    Row::Dns { path, query, protocol, replica }
}

/// All addresses of the family of `like`, because one query asks for one family.
fn exactly(addresses: &[IpAddr], like: IpAddr) -> Expected {
    let family = |it: &&IpAddr| it.is_ipv4() == like.is_ipv4();
    let addresses: Vec<IpAddr> = addresses.iter().filter(family).copied().collect();
    if addresses.is_empty() { Expected::Address } else { Expected::All(addresses) }
}

fn service_name(key: &Key, domain: &str) -> String {
    format!("{}.{}.svc.{domain}.", key.name, key.namespace)
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
