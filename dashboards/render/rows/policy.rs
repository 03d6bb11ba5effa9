//! Policies: what they keep apart that belongs together.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{once, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let panels = vec![
        Panel::lines(
            101,
            "Pods that ask cluster DNS",
            "Pods that ask cluster DNS, by what NetworkPolicies let them. A closed one may send \
             nothing at all, which may be meant; of an unknown one it depends on what cannot be \
             seen.",
        )
        .size(12, 6)
        .query(&once(&["verdict"], &series("netvitals_policy_dns_egress_pods", "")), "{{verdict}}")
        .unit("short")
        .empty("there is no verdict")
        .alerts(rules, &["NetvitalsDNSBlockedByPolicy"]),
        Panel::lines(
            102,
            "Services shut by policies",
            "Services to whose pods NetworkPolicies let nobody in: to all of them, to some, or on some \
             of the ports, which may be meant.",
        )
        .size(12, 6)
        .query(
            &once(&["verdict"], &series("netvitals_services_blocked_by_policy", "")),
            "{{verdict}}",
        )
        .unit("short")
        .empty("there is no verdict")
        .alerts(rules, &["NetvitalsServiceBlockedByPolicy"]),
    ];
    Row { title: Some((100, "Policies")), panels }
}
