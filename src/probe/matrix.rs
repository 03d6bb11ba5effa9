//! What an agent probes: its plan, and what it knows by itself.
//!
//! A plan is made of objects that tenants may write, so every address is checked here, once and
//! in the form in which it is dialled; and there are caps, because nobody counts a plan's length
//! before it is read.

mod dns;
mod reach;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::allowed::Allowed;
use super::icmp::Echo;
use super::job::{Ask, Job, Row};
use crate::host::resolv_conf::ResolvConf;
use crate::model::{Key, Plan, Vantage};

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
}

/// What is to be done, and how much of what was asked for is not.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// No two have the same row and address.
    pub jobs: Vec<Job>,
    /// Targets whose address is none to be sent to, and names that are none.
    pub denied: usize,
    /// Targets beyond the caps.
    pub capped: usize,
}

/// What a matrix is made of.
struct Maker<'a> {
    scope: &'a Scope,
    conf: &'a ResolvConf,
    plan: Option<&'a Plan>,
    made: Matrix,
    known: BTreeSet<(Row, SocketAddr)>,
}

/// Returns what is to be probed; without a plan that is the nameserver and the API server.
pub fn matrix(scope: &Scope, conf: &ResolvConf, plan: Option<&Plan>, echo: &Echo) -> Matrix {
    let mut maker = Maker { scope, conf, plan, made: Matrix::default(), known: BTreeSet::new() };
    dns::add(&mut maker);
    reach::add(&mut maker, |address| echo.supports(address));
    maker.made
}

impl Maker<'_> {
    fn add(&mut self, row: Row, address: SocketAddr, ask: Ask, every: Duration) {
        if !self.scope.allowed.allows(address, &self.conf.nameservers) {
            self.made.denied += 1;
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
