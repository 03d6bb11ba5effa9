//! What a simulated cluster is made of: nodes, pods and Services, with what scenarios change of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::Value;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    /// The range of its pods.
    pub(super) pods: Ipv4Net,
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Kind and name of the controlling owner.
    pub(super) owner: (String, String),
    /// The number of its node, from 1.
    pub(super) node: Option<u8>,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ports: Vec<Port>,
    pub(super) host_network: bool,
    /// `resources` of its container.
    pub(super) resources: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) number: u16,
    pub(super) protocol: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
    /// None makes it headless.
    pub(super) address: Option<Ipv4Addr>,
    /// Each with the name of the container port behind it.
    pub(super) ports: Vec<(Port, &'static str)>,
    pub(super) selector: BTreeMap<String, String>,
}
