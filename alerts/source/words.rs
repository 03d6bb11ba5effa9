//! The parts of annotations that are the same for every alert, as templates of Prometheus.

/// What stands before every description.
pub(super) const CLUSTER: &str = "{{ with $labels.cluster }}Cluster {{ . }}: {{ end }}";

/// What stands behind every description: what to repair first.
pub(super) const CAUSE: &str = concat!(
    r#"Root cause: {{ range $i, $it := query (printf `max by (code, kind, namespace, name) (label_replace("#,
    r#"netvitals_root_cause{cluster=%q}, "namespace", "$1", "exported_namespace", "(.+)"))` "#,
    r#"$labels.cluster) | sortByLabel "code" }}{{ if $i }}, {{ end }}{{ .Labels.code }} ({{ .Labels.kind }} "#,
    r#"{{ if not (eq .Labels.kind "Node" "Namespace") }}{{ with .Labels.namespace }}{{ . }}/{{ end }}{{ end }}"#,
    r#"{{ .Labels.name }}){{ else }}none is named{{ end }}."#,
);

/// Names what `query` finds in the alert's cluster, by `label`, ten at most; each as `it` says.
/// `query` has `%q` for the cluster.
pub(super) fn listed(query: &str, label: &str, it: &str, none: &str) -> String {
    format!(
        "{{{{ range $i, $it := query (printf `{query}` $labels.cluster) | sortByLabel \"{label}\" }}}}\
         {{{{ if lt $i 10 }}}}{{{{ if $i }}}}, {{{{ end }}}}{it}{{{{ end }}}}\
         {{{{ if eq $i 10 }}}} and more{{{{ end }}}}{{{{ else }}}}{none}{{{{ end }}}}"
    )
}

/// Names the nodes that a check has problems with.
pub(super) fn nodes(check: &str, none: &str) -> String {
    let query = format!(
        r#"max by (name) (netvitals_finding{{cluster=%q, check="{check}", severity="problem", kind="Node"}})"#
    );
    listed(&query, "name", "{{ .Labels.name }}", none)
}
