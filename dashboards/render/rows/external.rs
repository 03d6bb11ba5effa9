//! External: what leads into the cluster.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{once, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let alerts =
        ["NetvitalsIngressNoAddress", "NetvitalsIngressBackendMissing", "NetvitalsIngressConflict"];
    let panels = vec![
        Panel::lines(
            91,
            "Ingresses",
            "Ingresses, each by the worst that is so of it. With controllers that never write an \
             address all are without one, which is no fault.",
        )
        .size(24, 6)
        .query(&once(&["state"], &series("netvitals_ingresses", "")), "{{state}}")
        .unit("short")
        .empty("no Ingress, or there is no verdict")
        .alerts(rules, &alerts),
    ];
    Row { title: Some((90, "External")), panels }
}
