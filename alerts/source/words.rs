//! The parts of annotations that are the same for many alerts, as templates of Prometheus.

use super::promql::settled;

/// What stands before every description.
pub(super) const CLUSTER: &str = "{{ with $labels.cluster }}Cluster {{ . }}: {{ end }}";

/// What stands behind a description: the cluster's open problem, which need not be the alert's.
pub(super) const REPAIR_FIRST: &str = concat!(
    "{{ $first := query (printf `max by (code, kind, namespace, name) (label_replace(netvitals_root_cause{cluster=%q}, ",
    r#""namespace", "$1", "exported_namespace", "(.+)"))` $labels.cluster) | sortByLabel "code" }}"#,
    "{{ if $first }} Open problem to repair first: {{ range $i, $it := $first }}{{ if $i }}, {{ end }}{{ .Labels.code }} ",
    r#"({{ .Labels.kind }} {{ if not (eq .Labels.kind "Node" "Namespace") }}{{ with .Labels.namespace }}{{ . }}/{{ end }}"#,
    "{{ end }}{{ .Labels.name }}){{ end }}.{{ end }}",
);

/// What stands at the end of a link to the dashboard.
pub(super) const CHOSEN: &str =
    "{{ with $labels.cluster }}&var-cluster={{ . | urlquery }}{{ end }}";

/// Names what `query` finds in the alert's cluster, by `label`, ten at most; each as `it` says.
/// `query` has `%[1]q` for the cluster.
pub(super) fn listed(query: &str, label: &str, it: &str) -> String {
    let query = query.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    format!(
        "{{{{ range $i, $it := query (printf `{query}` $labels.cluster) | sortByLabel \"{label}\" }}}}\
         {{{{ if lt $i 10 }}}}{{{{ if $i }}}}, {{{{ end }}}}{it}{{{{ end }}}}\
         {{{{ if eq $i 10 }}}} and more{{{{ end }}}}{{{{ else }}}}none is named now{{{{ end }}}}"
    )
}

/// Names the nodes that a check has problems with.
pub(super) fn nodes(check: &str) -> String {
    let query = format!(
        r#"max by (name) (netvitals_finding{{cluster=%[1]q, check="{check}", severity="problem", kind="Node"}})"#
    );
    listed(&query, "name", "{{ .Labels.name }}")
}

/// Says what each open code of a check means for the alert's object, which its label `name` names;
/// a code may come and go while the alert stays. Without any it says `otherwise`.
pub(super) fn codes(check: &str, codes: &[(&str, &str)], otherwise: &str) -> String {
    explained(check, "name", "", codes, otherwise)
}

/// The same for an object with a namespace.
pub(super) fn codes_in_namespace(check: &str, codes: &[(&str, &str)]) -> String {
    explained(check, "name", "namespace", codes, OVER)
}

/// The same for the node that the alert's label `node` names.
pub(super) fn codes_of_node(check: &str, codes: &[(&str, &str)]) -> String {
    explained(check, "node", "", codes, OVER)
}

/// An alert may outlast what it tells.
const OVER: &str = "What was found has just ended.";

fn explained(
    check: &str,
    name: &str,
    namespace: &str,
    codes: &[(&str, &str)],
    otherwise: &str,
) -> String {
    let found =
        format!(r#"netvitals_finding{{cluster=%q, check="{check}", severity!="info", name=%q}}"#);
    let by = if namespace.is_empty() { vec!["code"] } else { vec!["code", namespace] };
    let query = format!("max by ({}) ({})", by.join(", "), settled(&by, &found));
    let mut text = format!(
        "{{{{ range query (printf `{query}` $labels.cluster $labels.{name}) | sortByLabel \"code\" }}}}"
    );
    if !namespace.is_empty() {
        text += "{{ if eq .Labels.namespace $labels.namespace }}";
    }
    for (at, (code, words)) in codes.iter().enumerate() {
        let or = if at == 0 { "" } else { "else " };
        text += &format!("{{{{ {or}if eq .Labels.code \"{check}.{code}\" }}}} {words}");
    }
    text += "{{ else }} {{ .Labels.code }}.{{ end }}";
    if !namespace.is_empty() {
        text += "{{ end }}";
    }
    text + &format!("{{{{ else }}}} {otherwise}{{{{ end }}}}")
}
