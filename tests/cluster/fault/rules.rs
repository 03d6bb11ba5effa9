//! Packets that a node drops: rules in front of all others.

use super::Fault;
use crate::node::Node;

/// Where a packet is seen that goes through a node, and that a node itself sends.
pub(super) const BOTH: [&str; 2] = ["FORWARD", "OUTPUT"];

/// Drops `percent` of the packets that match, by chance, in each of `chains` on a node.
///
/// A packet passes one of the chains only, so the percentage holds for the whole way.
pub(super) fn drop<'a>(
    node: &'a Node,
    chains: &[&'static str],
    matching: &str,
    percent: u8,
) -> Fault<'a> {
    let probability = f64::from(percent) / 100.0;
    let chance = match percent {
        100 => String::new(),
        _ => format!(" -m statistic --mode random --probability {probability}"),
    };
    let rules: Vec<(&str, String)> =
        chains.iter().map(|chain| (*chain, format!("{matching}{chance} -j DROP"))).collect();
    for (chain, rule) in &rules {
        iptables(node, &["-I", chain], rule);
    }
    Fault::new(move || {
        for (chain, rule) in &rules {
            iptables(node, &["-D", chain], rule);
        }
    })
}

fn iptables(node: &Node, action: &[&str], rule: &str) {
    let mut words = vec!["iptables", "-w"];
    words.extend(action);
    words.extend(rule.split_whitespace());
    node.run(&words);
}
