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
        .size(6, 6)
        .query(&once(&["verdict"], &series("netvitals_policy_dns_egress_pods", "")), "{{verdict}}")
        .unit("short")
        .empty("there is no verdict")
        .alerts(rules, &["NetvitalsDNSBlockedByPolicy"]),
        Panel::lines(
            102,
            "Services shut by policies",
            "Services to whose pods NetworkPolicies let nobody in: to all of them, to some, or on some \
             of the ports, which may be meant. Of an unknown one it depends on what cannot be seen.",
        )
        .size(6, 6)
        .query(
            &once(&["verdict"], &series("netvitals_services_blocked_by_policy", "")),
            "{{verdict}}",
        )
        .unit("short")
        .empty("there is no verdict")
        .alerts(rules, &["NetvitalsServiceBlockedByPolicy"]),
        Panel::lines(
            140,
            "Services behind Ingresses",
            "By whether NetworkPolicies let the ingress controller in to their pods: to none, or to some. Of an unknown one it \
             depends on what cannot be seen; of an unjudged one no pods are known to serve it, as behind a cloud's load \
             balancer.",
        )
        .size(6, 6)
        .query(
            &once(&["verdict"], &series("netvitals_ingress_services_blocked_by_policy", "")),
            "{{verdict}}",
        )
        .unit("short")
        .empty("there is no verdict, or no Ingress")
        .alerts(rules, &["NetvitalsIngressBlockedByPolicy"]),
        Panel::lines(
            103,
            "NetworkPolicies",
            "By the worst that is so of their selectors. That a policy selects no pod, or a rule has \
             no peer, is mostly meant for what is yet to come.",
        )
        .size(6, 6)
        .query(&once(&["state"], &series("netvitals_network_policies", "")), "{{state}}")
        .unit("short")
        .empty("there is no count")
        .alerts(rules, &["NetvitalsPolicyIneffective"]),
        Panel::lines(
            104,
            "What enforces policies",
            "Each engine of NetworkPolicies that is known here; none where it is known that nothing \
             enforces them, unknown where that cannot be seen.",
        )
        .size(24, 5)
        .query(&once(&["engine"], &series("netvitals_policy_engine_info", "")), "{{engine}}")
        .unit("short")
        .empty("there is no answer")
        .alerts(rules, &["NetvitalsPolicyNotEnforced"]),
    ];
    Row { title: Some((100, "Policies")), panels }
}
