//! Endpoints: whether Services know their pods.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{fold, once, quantile, rate, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let alert = &["NetvitalsEndpointsMismatch"][..];
    let late = &["NetvitalsEndpointsLagging"][..];
    let columns = ["namespace", "service", "class", "Value", "cluster"];
    let buckets = once(&["le"], &rate(&series("netvitals_endpoint_lag_seconds_bucket", "")));
    let oldest = series("netvitals_endpoint_oldest_mismatch_timestamp_seconds", "");
    let panels = vec![
        Panel::lines(
            51,
            "Mismatches by class",
            "Pods and endpoints that do not agree, right now. A moment is normal while pods \
             come and go.",
        )
        .size(12, 7)
        .query(&once(&["class"], &series("netvitals_endpoint_mismatches", "")), "{{class}}")
        .unit("short")
        .empty("no verdict")
        .alerts(rules, alert),
        Panel::table(
            52,
            "Services with mismatches",
            "Right now, with the number of pods.",
            &columns,
        )
        .size(12, 7)
        .query(&once(&columns[..3], &series("netvitals_service_endpoint_mismatches", "")), "")
        .empty("every Service agrees with its pods, or there is no verdict")
        .alerts(rules, alert),
        Panel::lines(
            53,
            "Time until endpoints follow",
            "From a pod's change to the EndpointSlice that shows it, by the clock of the \
             cluster role.",
        )
        .size(12, 7)
        .query(&quantile("0.5", &buckets), "half of all")
        .query(&quantile("0.99", &buckets), "99 of 100")
        .unit("s")
        .empty("no pod has changed")
        .alerts(rules, late),
        Panel::lines(
            54,
            "Age of the oldest mismatch",
            "How long the oldest open mismatch has lasted; grows while the controller is \
             stuck.",
        )
        .size(12, 7)
        .query(&format!("time() - {}", fold("min", &[], &oldest)), "oldest")
        .unit("s")
        .empty("no mismatch is open")
        .alerts(rules, late),
        Panel::lines(
            55,
            "Services without endpoints",
            "Services whose selector gives them nothing to send to, by reason. Normal for \
             workloads that are scaled to 0; the list of findings names those with pods.",
        )
        .size(12, 6)
        .query(
            &once(&["reason"], &series("netvitals_services_without_endpoints", "")),
            "{{reason}}",
        )
        .unit("short")
        .empty("no verdict"),
        Panel::lines(
            56,
            "Load balancers",
            "Services of type LoadBalancer, each by the worst that is so of it. One is pending for \
             some minutes while it is made.",
        )
        .size(12, 6)
        .query(&once(&["state"], &series("netvitals_load_balancers", "")), "{{state}}")
        .unit("short")
        .empty("no Service is of type LoadBalancer, or there is no verdict")
        .alerts(rules, &["NetvitalsLoadBalancerPending", "NetvitalsLoadBalancerNoTargets"]),
    ];
    Row { title: Some((50, "Endpoints")), panels }
}
