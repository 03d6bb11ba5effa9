//! Commands for a person, with the object they are about filled in.

use crate::check::{Finding, Remedy};
use crate::model::{Fact, Node};

/// Returns the remedies of `finding` as commands that can be pasted into a shell.
///
/// A command whose node is not known is left out: half a command repairs nothing.
pub fn commands(finding: &Finding) -> impl Iterator<Item = (&'static Remedy, String)> {
    let key = &finding.subject.key;
    let of_node = finding.subject.kind == Node::KIND;
    let node = finding.node.as_deref().or_else(|| of_node.then_some(&*key.name));
    finding.code.remedies.iter().filter_map(move |remedy| {
        let command = remedy.command;
        if command.contains("{node}") && node.is_none() {
            return None;
        }
        let holes = [
            ("{namespace}", &*key.namespace),
            ("{name}", &*key.name),
            ("{node}", node.unwrap_or("")),
        ];
        Some((remedy, fill(command, holes)))
    })
}

/// Fills holes in one pass, so that a name which looks like a hole stays a name.
fn fill(command: &str, holes: [(&str, &str); 3]) -> String {
    let (mut filled, mut rest) = (String::new(), command);
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        match holes.iter().find(|(hole, _)| rest.starts_with(hole)) {
            Some((hole, value)) => {
                filled.push_str(&quoted(value));
                rest = &rest[hole.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

/// Quotes what a shell would not take as one plain word: whoever makes an object names it.
fn quoted(value: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.:/".contains(char);
    if !value.is_empty() && !value.starts_with('-') && value.chars().all(plain) {
        return value.to_owned();
    }
    let printable = value.chars().filter(|char| !char.is_control()).collect::<String>();
    format!("'{}'", printable.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::{Code, Severity};
    use crate::model::{Key, Object, Pod};

    static CODE: Code = Code {
        id: "a.b",
        severity: Severity::Problem,
        grace: Duration::ZERO,
        explain: "",
        remedies: &[
            Remedy::inspect("kubectl -n {namespace} get pod {name} -o jsonpath='{.status}'"),
            Remedy::verify("kubectl describe node {node}"),
        ],
    };

    fn finding(namespace: &str, name: &str, node: Option<&str>) -> Finding {
        let subject = Object { kind: Pod::KIND, key: Key::new(namespace, name) };
        Finding { code: &CODE, subject, node: node.map(Into::into), message: String::new() }
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
