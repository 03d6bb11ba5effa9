//! EndpointSlices and the pods of Services.

use super::promql::{count, found, lines, once};
use super::words::listed;
use super::{Alert, Group, warning};

pub(super) fn group() -> Group {
    let mismatch = found(r#"check="endpoint_mismatch", severity="problem""#);
    let alerts = vec![
        Alert {
            expr: once(&["code", "kind", "namespace", "name"], &mismatch) + " == 1",
            pending: "2m",
            summary: "The endpoints of a Service are not its pods.",
            says: "{{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.name }}: {{ $labels.code }}. Traffic goes \
                   to pods that are gone, or ready pods get none."
                .into(),
            panel: 52,
            ..warning("EndpointsMismatch")
        },
        Alert {
            why: "One alert for all Services: it is the controller that they have in common. The series of findings \
                  end at 100, the rest is only counted.",
            expr: lagging(),
            pending: "2m",
            keep: "2m",
            summary: "Endpoints do not follow their pods in time.",
            says: format!(
                "The EndpointSlices of these Services ({{{{ $value }}}}) do not say what their pods did more than a \
                 minute ago: {}.",
                late()
            ),
            panel: 53,
            ..warning("EndpointsLagging")
        },
    ];
    Group { name: "endpoints", component: "endpoints", alerts }
}

fn lagging() -> String {
    let services = count(&once(&["namespace", "name"], &found(r#"check="endpoint_lag""#)));
    let omitted = once(&[], r#"netvitals_findings_omitted{check="endpoint_lag"}"#);
    lines(&[&services, "+ on (cluster)", &format!("{omitted} >= 1")])
}

fn late() -> String {
    let found = r#"netvitals_finding{cluster=%q, check="endpoint_lag"}"#;
    let found = super::promql::settled(&["namespace"], found);
    let query = format!("max by (namespace, name) ({found})");
    let service = "{{ .Labels.namespace }}/{{ .Labels.name }}";
    listed(&query, "name", service, "none is named")
}
