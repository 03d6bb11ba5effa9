//! What rules say of traffic.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::namespace::InNamespace;
use super::traffic::Direction;
use super::verdict::{Reason, Says};
use crate::model::{Name, Peer, Pod, PolicyPorts, PortRange, Ports, Protocol, Rule};

/// Traffic as a rule sees it.
pub(super) struct Sight<'a> {
    pub(super) direction: Direction,
    /// The namespace of the policy.
    pub(super) own: &'a Name,
    pub(super) other: Other<'a>,
    pub(super) door: Door<'a>,
}

/// Where traffic arrives.
pub(super) struct Door<'a> {
    /// The named ports of the pod that gets it; absent where that is no pod.
    pub(super) ports: Option<&'a Ports>,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

/// The end that is not the policy's.
pub(super) enum Other<'a> {
    Pod { namespace: InNamespace, pod: &'a Pod },
    Address(IpAddr),
}

impl Sight<'_> {
    /// Whether one of `rules` lets it through.
    pub(super) fn through(&self, rules: &[Rule]) -> Says {
        Says::any(rules.iter().map(|rule| self.through_one(rule)))
    }

    fn through_one(&self, rule: &Rule) -> Says {
        let is_range = |peer: &&Peer| matches!(peer, Peer::Block { .. });
        let is_name = |range: &&PortRange| matches!(range.ports, PolicyPorts::Named(_));
        let peers = |ranges: bool| {
            let peers = rule.peers.iter().filter(move |peer| is_range(peer) == ranges);
            Says::any(peers.map(|peer| self.is_peer(peer)))
        };
        let ports = |names: bool| {
            let ports = rule.ports.iter().filter(move |range| is_name(range) == names);
            Says::any(ports.map(|range| self.door.is_in(range)))
        };
        let selected = if rule.peers.is_empty() { Says::Yes } else { peers(false) };
        let numbered = if rule.ports.is_empty() { Says::Yes } else { ports(false) };
        let named = ports(true);
        let on_port = numbered.max(named);
        // Names are those of a pod's ports: of addresses that are sent to, not every engine knows the pod.
        let of_ranges = match self.direction {
            Direction::Egress => numbered.max(named.min(Says::Perhaps(Reason::NameOfRange))),
            Direction::Ingress => on_port,
        };
        selected.min(on_port).max(peers(true).min(of_ranges))
    }

    fn is_peer(&self, peer: &Peer) -> Says {
        match (peer, &self.other) {
            (Peer::Pods { namespaces, pods }, Other::Pod { namespace, pod }) => {
                let there = match namespaces {
                    None => (namespace.name() == self.own).into(),
                    Some(selector) => namespace.says(selector),
                };
                let is_one = pods.as_ref().map_or(Says::Yes, |it| it.matches(&pod.labels).into());
                let most =
                    if pod.host_network { Says::Perhaps(Reason::HostNetwork) } else { Says::Yes };
                there.min(is_one).min(most)
            }
            (Peer::Pods { .. }, Other::Address(_)) => Says::No,
            (Peer::Block { range, except }, other) => {
                let lets = |address: IpAddr| {
                    contains(range, address) && !except.iter().any(|it| contains(it, address))
                };
                match other {
                    Other::Address(address) => lets(*address).into(),
                    Other::Pod { pod, .. } if pod.addresses.is_empty() => {
                        Says::Perhaps(Reason::NoAddress)
                    }
                    Other::Pod { pod, .. } => pod.addresses.iter().any(lets).into(),
                }
            }
            (Peer::Other, _) => Says::Perhaps(Reason::NotUnderstood),
        }
    }
}

impl Door<'_> {
    /// Whether one of `rules` lets somebody in here.
    pub(super) fn is_open_by(&self, rules: &[Rule]) -> Says {
        let by_one = |rule: &Rule| {
            let peers = rule.peers.iter().map(|peer| match peer {
                Peer::Pods { .. } | Peer::Block { .. } => Says::Yes,
                Peer::Other => Says::Perhaps(Reason::NotUnderstood),
            });
            let somebody = if rule.peers.is_empty() { Says::Yes } else { Says::any(peers) };
            let ports = rule.ports.iter().map(|range| self.is_in(range));
            let here = if rule.ports.is_empty() { Says::Yes } else { Says::any(ports) };
            somebody.min(here)
        };
        Says::any(rules.iter().map(by_one))
    }

    fn is_in(&self, range: &PortRange) -> Says {
        if range.protocol == Protocol::Other {
            return Says::Perhaps(Reason::NotUnderstood);
        }
        if range.protocol != self.protocol {
            return Says::No;
        }
        match &range.ports {
            PolicyPorts::Any => Says::Yes,
            PolicyPorts::Range(first, last) => (*first..=*last).contains(&self.port).into(),
            PolicyPorts::Named(name) => self.ports.map_or(Says::No, |ports| {
                let number = ports.number(name, self.protocol);
                number.map_or(Says::Perhaps(Reason::PortName), |it| (it == self.port).into())
            }),
            PolicyPorts::Other => Says::Perhaps(Reason::NotUnderstood),
        }
    }
}

/// Whether an address is in a range, however either writes IPv4.
fn contains(range: &IpNet, address: IpAddr) -> bool {
    let address = address.to_canonical();
    // `::ffff:10.0.0.0/104` is `10.0.0.0/8`; what is wider is of IPv6 alone.
    if let IpNet::V6(range) = range
        && let Some(network) = range.network().to_ipv4_mapped()
        && let Some(length) = range.prefix_len().checked_sub(96)
    {
        return Ipv4Net::new(network, length).is_ok_and(|it| IpNet::V4(it).contains(&address));
    }
    range.contains(&address)
}
