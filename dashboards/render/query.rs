//! PromQL in the forms that panels need.

use crate::source::promql::settled;
pub(super) use crate::source::promql::{ANSWERED, HEADLINE};

/// Selects a family in the chosen cluster.
pub(super) fn series(name: &str, matchers: &str) -> String {
    let comma = if matchers.is_empty() { "" } else { ", " };
    format!(r#"{name}{{cluster=~"$cluster"{comma}{matchers}}}"#)
}

/// The same for what agents export, on the chosen nodes.
pub(super) fn on_nodes(name: &str, matchers: &str) -> String {
    let comma = if matchers.is_empty() { "" } else { ", " };
    series(name, &format!(r#"node=~"$node"{comma}{matchers}"#))
}

/// Rate of a counter.
pub(super) fn rate(series: &str) -> String {
    format!("rate({series}[$__rate_interval])")
}

/// Reads what every replica of the cluster role exports, once.
pub(super) fn once(by: &[&str], expr: &str) -> String {
    format!("max by ({}) ({})", by.join(", "), settled(by, expr))
}

/// Adds up what agents export.
pub(super) fn total(by: &[&str], expr: &str) -> String {
    format!("sum by ({}) ({})", by.join(", "), settled(by, expr))
}

/// Share of the headline's queries that succeeded.
pub(super) fn dns_success(by: &[&str]) -> String {
    let of = |name| total(by, &rate(&on_nodes(name, HEADLINE)));
    format!(
        "1 - {} / {}",
        of("netvitals_dns_query_failures_total"),
        of("netvitals_dns_queries_total")
    )
}

/// Share of the headline's answers that took longer than `le` seconds.
pub(super) fn dns_slower(le: &str) -> String {
    let of = |name, matchers: &str| total(&[], &rate(&on_nodes(name, matchers)));
    format!(
        "1 - {} / {}",
        of("netvitals_dns_query_duration_seconds_bucket", &format!(r#"{ANSWERED}, le="{le}""#)),
        of("netvitals_dns_query_duration_seconds_count", ANSWERED)
    )
}

/// Share of the observers that fail.
pub(super) fn failing(by: &[&str], failing: &str, all: &str) -> String {
    format!("{} / {}", once(by, &series(failing, "")), once(by, &series(all, "")))
}
