//! The policy that opens the way to DNS beside another one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::servers::{DNS, Servers};
use crate::check::policy::object::{allowing, labels, peer, port};
use crate::model::{Expression, Key, Operator, Protocol, Selector};
use crate::policy::Direction;

/// Returns, as JSON, a policy that lets the pods which another one selects ask DNS; it closes none,
/// because they are isolated already.
///
/// None where it is not understood whom the other one selects, a cache has no label to be named by,
/// or the other one's name is too long for more.
pub(super) fn opening(
    beside: &Key,
    selector: &Selector,
    dns: &Key,
    servers: &Servers<'_>,
) -> Option<String> {
    let mut to = vec![peer(&dns.namespace, &labels(servers.service.selector.iter()))];
    let mut numbers: BTreeSet<u16> = servers.ports(Protocol::Udp);
    numbers.extend(servers.ports(Protocol::Tcp));
    if let Some(cache) = &servers.cache {
        let own = json!({"k8s-app": cache.pod.labels.get("k8s-app")?});
        to.push(peer(&cache.key.namespace, &own));
        numbers.insert(DNS);
    }
    for address in &servers.on_nodes {
        let length = if address.is_ipv4() { 32 } else { 128 };
        to.push(json!({"ipBlock": {"cidr": format!("{address}/{length}")}}));
        numbers.insert(DNS);
    }
    let ports = numbers
        .iter()
        .flat_map(|number| [Protocol::Udp, Protocol::Tcp].map(|protocol| port(protocol, *number)));
    let ports: Vec<Value> = ports.collect();
    let rule = json!({"to": to, "ports": ports});
    allowing(&format!("{}-dns", beside.name), &selected(selector)?, Direction::Egress, &rule)
}

fn selected(selector: &Selector) -> Option<Value> {
    let mut all = serde_json::Map::new();
    if !selector.labels.is_empty() {
        all.insert("matchLabels".into(), labels(selector.labels.iter()));
    }
    if !selector.expressions.is_empty() {
        let each: Option<Vec<Value>> = selector.expressions.iter().map(expression).collect();
        all.insert("matchExpressions".into(), each?.into());
    }
    Some(all.into())
}

fn expression(it: &Expression) -> Option<Value> {
    let operator = match it.operator {
        Operator::In => "In",
        Operator::NotIn => "NotIn",
        Operator::Exists => "Exists",
        Operator::DoesNotExist => "DoesNotExist",
        Operator::Other => return None,
    };
    let values: Vec<&str> = it.values.iter().map(|value| &**value).collect();
    Some(json!({"key": &*it.key, "operator": operator, "values": values}))
}
