//! What an agent probes: its plan, and what it knows by itself.
//!
//! A plan is made of objects that tenants may write, so every address is checked here, once and
//! in the form in which it is dialled; and there are caps, because a plan's length is not
//! counted before it is read.

mod dns;
mod reach;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::attempt::Probe;
use super::echo::Echo;
use super::job::{Ask, Job, Row};
use super::{icmp, tcp};
use crate::agent::Switch;
use crate::agent::allowed::Allowed;
use crate::agent::resolv_conf::ResolvConf;
use crate::model::{Group, Key, Plan, Vantage};

/// Every probe of reachability, with what adds its targets to a matrix; DNS has families of its
/// own.
pub static ALL: &[(&Probe, Add)] =
    &[(&tcp::PROBE, reach::connections), (&icmp::PROBE, reach::echoes)];

/// Adds targets to a matrix.
type Add = fn(&mut Maker<'_>);

/// Queries.
pub(super) const DNS: Switch =
    Switch { name: "dns", off: |observation| observation.dns = Some(Group::Disabled) };

/// What an agent was told when it started.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Which network it observes from.
    pub vantage: Vantage,
    /// The port of the servers in `/etc/resolv.conf`.
    pub dns_port: u16,
    /// Between two queries of the headline's row.
    pub dns_interval: Duration,
    /// Between two attempts to reach one target.
    pub reach_interval: Duration,
    /// The API server's address.
    pub api: Option<SocketAddr>,
    /// A name of the world outside.
    pub external: Option<String>,
    /// Which addresses may be probed.
    pub allowed: Allowed,
    /// What is switched off.
    pub disabled: Vec<&'static str>,
}

/// What is to be done, and how much of what was asked for is not.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// No two have the same row and address.
    pub jobs: Vec<Job>,
    /// What would be attempted, had it an address to which an agent may be sent.
    pub refused: BTreeSet<Row>,
    /// How many targets these are, and names that are none.
    pub denied: usize,
    /// Targets beyond the caps.
    pub capped: usize,
}

/// What a matrix is made of.
pub struct Maker<'a> {
    scope: &'a Scope,
    conf: &'a ResolvConf,
    plan: Option<&'a Plan>,
    /// Whether an address can be asked for an echo.
    echoes: &'a dyn Fn(IpAddr) -> bool,
    made: Matrix,
    known: BTreeSet<(Row, SocketAddr)>,
}

impl fmt::Debug for Maker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").field("made", &self.made).finish_non_exhaustive()
    }
}

/// Returns what is to be probed; without a plan that is the nameserver and the API server.
pub fn matrix(scope: &Scope, conf: &ResolvConf, plan: Option<&Plan>, echo: &Echo) -> Matrix {
    made(scope, conf, plan, &|address| echo.supports(address))
}

fn made(
    scope: &Scope,
    conf: &ResolvConf,
    plan: Option<&Plan>,
    echoes: &dyn Fn(IpAddr) -> bool,
) -> Matrix {
    let (made, known) = (Matrix::default(), BTreeSet::new());
    let mut maker = Maker { scope, conf, plan, echoes, made, known };
    if !scope.disabled.contains(&DNS.name) {
        dns::add(&mut maker);
    }
    for (_, add) in ALL.iter().filter(|(probe, _)| !scope.disabled.contains(&probe.switch.name)) {
        add(&mut maker);
    }
    maker.made
}

impl Maker<'_> {
    fn add(&mut self, row: Row, address: SocketAddr, ask: Ask, every: Duration) {
        let nameservers = self.conf.nameservers.iter().map(|server| server.address);
        if !self.scope.allowed.allows(address, nameservers) {
            self.made.denied += 1;
            self.made.refused.insert(row);
        } else if self.known.insert((row.clone(), address)) {
            self.made.jobs.push(Job { row, address, ask, every });
        }
    }

    /// Returns the first `most` of `all`, and counts the others.
    fn capped<'b, T>(&mut self, all: &'b [T], most: usize) -> &'b [T] {
        self.made.capped += all.len().saturating_sub(most);
        &all[..all.len().min(most)]
    }

    /// The addresses of the API server's Service, as far as they are known.
    fn api_addresses(&self) -> Vec<IpAddr> {
        let key = api();
        let expected = self.plan.and_then(|plan| plan.dns.as_ref());
        let expected = expected.and_then(|dns| dns.expected.iter().find(|it| it.service == key));
        let services = self.plan.map_or(&[][..], |plan| &plan.services);
        let service = services.iter().find(|it| it.service == key);
        expected
            .map(|it| it.addresses.clone())
            .or_else(|| service.map(|it| it.addresses.clone()))
            .filter(|addresses| !addresses.is_empty())
            .unwrap_or_else(|| self.scope.api.map(|api| api.ip()).into_iter().collect())
    }
}

/// The Service that every cluster has.
fn api() -> Key {
    Key::new("default", "kubernetes")
}

#[cfg(test)]
mod tests;
