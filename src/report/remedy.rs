//! Commands for a person, with the object they are about filled in.

use crate::check::{Finding, Remedy};
use crate::model::{Fact, Node};

/// Every hole that a command may have.
pub const HOLES: &[&str] = &[
    "namespace",
    "name",
    "node",
    // Of netvitals' own pods.
    "own",
    "pod",
    "pod_namespace",
    // A pool that is an object.
    "ip_pool",
    // The kind of such, as kubectl has it.
    "pools",
    // Of the pods behind the DNS Service.
    "dns_namespace",
    "selector",
    "owner",
    "container",
    // More than there are.
    "replicas",
    // Of what makes a node's network.
    "cni_namespace",
    "cni_pod",
    "cni_owner",
    "proxy_namespace",
    "proxy_pod",
    "proxy_owner",
    // The node, where it is this that has to be looked at there.
    "bridge_node",
    "config_node",
    "leases_node",
    "plugins_node",
    // Of what enforces policies.
    "set",
    "set_namespace",
    // The key of a setting.
    "option",
    // A whole one, as JSON.
    "policy",
    // The name of one that is there.
    "isolating",
    // The same two of an ingress controller, and one of its pods.
    "controller_policy",
    "controller_isolating",
    "controller",
    "controller_namespace",
    // The kind of a route, as kubectl has it.
    "routes",
];

/// Returns the remedies of `finding` as commands that can be pasted into a shell.
///
/// A command with a hole that is not filled is left out: half a command repairs nothing.
pub fn commands(finding: &Finding) -> impl Iterator<Item = (&'static Remedy, String)> {
    let key = &finding.subject.key;
    let of_node = finding.subject.kind == Node::KIND;
    let node = finding.node.as_deref().or_else(|| of_node.then_some(&*key.name));
    let of_object = [("namespace", Some(&*key.namespace)), ("name", Some(&*key.name))];
    let holes = of_object.into_iter().chain([("node", node)]);
    let holes = holes.filter_map(|(hole, value)| Some((hole, value?)));
    let more = finding.holes.iter().map(|(hole, value)| (*hole, value.as_str()));
    let holes: Vec<(&str, &str)> = holes.chain(more).collect();
    let remedies = finding.code.remedies.iter();
    remedies.filter_map(move |remedy| Some((remedy, fill(remedy.command, &holes)?)))
}

/// Returns the hole that `text` begins with; other braces are a shell's.
fn hole(text: &str) -> Option<&str> {
    let (hole, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = !hole.is_empty() && hole.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    is_name.then_some(hole)
}

/// Fills holes in one pass, so that a name which looks like a hole stays a name.
fn fill(command: &str, holes: &[(&str, &str)]) -> Option<String> {
    let (mut filled, mut rest) = (String::new(), command);
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(name) = hole(rest) {
            let (_, value) = holes.iter().find(|(known, _)| *known == name)?;
            filled.push_str(&quoted(value));
            rest = &rest[name.len() + 2..];
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    Some(filled + rest)
}

/// Quotes what a shell would not take as one plain word: a name may be anything.
fn quoted(value: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.:/,=".contains(char);
    if !value.is_empty() && !value.starts_with(['-', '=']) && value.chars().all(plain) {
        return value.to_owned();
    }
    let printable = value.chars().filter(|char| !char.is_control()).collect::<String>();
    format!("'{}'", printable.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Code;
    use crate::model::{Key, Pod};

    static CODE: Code = Code::problem("a.b", &[Pod::KIND, Node::KIND]).remedies(&[
        Remedy::inspect("kubectl -n {namespace} get pod {name} -o jsonpath='{.status}'"),
        Remedy::verify("kubectl describe node {node}"),
    ]);

    fn finding(namespace: &str, name: &str, node: Option<&str>) -> Finding {
        let finding = Finding::of::<Pod>(&CODE, Key::new(namespace, name), "");
        Finding { node: node.map(Into::into), ..finding }
    }

    fn texts(finding: &Finding) -> Vec<String> {
        commands(finding).map(|(_, command)| command).collect()
    }

    #[test]
    fn holes_are_filled_and_other_braces_stay() {
        assert_eq!(
            texts(&finding("shop", "cart-1", Some("n1"))),
            ["kubectl -n shop get pod cart-1 -o jsonpath='{.status}'", "kubectl describe node n1"]
        );
    }

    #[test]
    fn a_command_without_its_node_is_left_out_unless_the_subject_is_the_node() {
        assert_eq!(texts(&finding("shop", "cart-1", None)).len(), 1);
        let mut node = finding("", "n7", None);
        node.subject.kind = Node::KIND;
        assert_eq!(texts(&node)[1], "kubectl describe node n7");
    }

    #[test]
    fn a_hostile_name_is_one_word_of_the_shell() {
        for (name, word) in [
            ("a; rm -rf /", "'a; rm -rf /'"),
            ("$(id)", "'$(id)'"),
            ("a'b", "'a'\\''b'"),
            ("{node}", "'{node}'"),
            ("--all", "'--all'"),
            ("", "''"),
            ("a\nid", "'aid'"),
        ] {
            let command = &texts(&finding("shop", name, Some("n1")))[0];
            assert_eq!(
                command,
                &format!("kubectl -n shop get pod {word} -o jsonpath='{{.status}}'")
            );
        }
    }
}
