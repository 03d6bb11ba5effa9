//! What to connect to: other agents, nodes, Services beside what is behind them, the API server.
//!
//! Services are never asked for an echo: no proxy mode but one answers for their addresses.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Maker, api};
use crate::model::{Name, NodeTarget, Plan, ProbeKind, Target};
use crate::probe::job::{Ask, Row};
use crate::probe::{icmp, tcp};

/// Between two attempts that must not succeed.
pub(super) const CANARY: Duration = Duration::from_secs(60);

/// A port that no agent opens.
const CLOSED: u16 = 1;

const PEERS: usize = 64;
const NODES: usize = 64;
const SERVICES: usize = 16;
const ENDPOINTS: usize = 32;

/// Connects to all of them.
pub(super) fn connections(maker: &mut Maker<'_>) {
    let (every, connect) = (maker.scope.reach_interval, Ask::Reach(&tcp::PROBE));
    if let Some(address) = maker.scope.api {
        let service = Some(api());
        let (target, probe, port) = (Target::Api, ProbeKind::Tcp, Some(address.port()));
        let row = Row::Reach { target, probe, node: None, service, port };
        maker.add(row, address, connect.clone(), every);
    }
    let Some(plan) = maker.plan else { return };
    for (target, all, most) in nodes(plan) {
        for it in maker.capped(all, most) {
            maker.add(node(target, ProbeKind::Tcp, &it.node), it.address, connect.clone(), every);
        }
    }
    services(maker, every);
    if let Some(peer) = plan.peers.first() {
        let address = SocketAddr::new(peer.address.ip(), CLOSED);
        maker.add(Row::Canary { probe: ProbeKind::Tcp }, address, connect, CANARY);
    }
}

/// Asks other agents and nodes for an echo.
pub(super) fn echoes(maker: &mut Maker<'_>) {
    let Some(plan) = maker.plan else { return };
    for (target, all, most) in nodes(plan) {
        for it in all.iter().take(most).filter(|it| (maker.echoes)(it.address.ip())) {
            // One socket for all: only the address tells the targets apart.
            let address = SocketAddr::new(it.address.ip(), 0);
            let (row, ask) = (node(target, ProbeKind::Icmp, &it.node), Ask::Reach(&icmp::PROBE));
            maker.add(row, address, ask, maker.scope.reach_interval);
        }
    }
}

/// What is on other nodes, with how much of it is probed.
fn nodes(plan: &Plan) -> [(Target, &[NodeTarget], usize); 2] {
    [(Target::PeerPod, &plan.peers, PEERS), (Target::Node, &plan.nodes, NODES)]
}

/// Each Service, and its endpoints directly: which of the two fails says where it breaks.
fn services(maker: &mut Maker<'_>, every: Duration) {
    let Some(plan) = maker.plan else { return };
    let mut endpoints = ENDPOINTS;
    for it in maker.capped(&plan.services, SERVICES) {
        let row = |target, node: Option<Name>| Row::Reach {
            target,
            probe: ProbeKind::Tcp,
            node,
            service: Some(it.service.clone()),
            port: Some(it.port),
        };
        // One of each family.
        for address in maker.capped(&it.addresses, 2) {
            let address = SocketAddr::new(*address, it.port);
            maker.add(row(Target::Service, None), address, Ask::Reach(&tcp::PROBE), every);
        }
        let behind = maker.capped(&it.endpoints, endpoints);
        endpoints -= behind.len();
        for endpoint in behind {
            let row = row(Target::Endpoint, endpoint.node.clone());
            maker.add(row, endpoint.address, Ask::Reach(&tcp::PROBE), every);
        }
    }
}

fn node(target: Target, probe: ProbeKind, node: &Name) -> Row {
    Row::Reach { target, probe, node: Some(node.clone()), service: None, port: None }
}
