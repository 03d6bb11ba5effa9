//! PromQL in the forms that panels need.

use crate::source::promql::settled;
pub(super) use crate::source::promql::{ANSWERED, HEADLINE};

/// Selects a family in the chosen clusters; all that is made of it is kept apart by cluster.
pub(super) fn series(name: &str, matchers: &str) -> String {
    let comma = if matchers.is_empty() { "" } else { ", " };
    format!(r#"{name}{{cluster=~"$cluster"{comma}{matchers}}}"#)
}

/// The same for what is about nodes, or is exported on them: only the chosen ones.
pub(super) fn on_nodes(name: &str, matchers: &str) -> String {
    let comma = if matchers.is_empty() { "" } else { ", " };
    series(name, &format!(r#"node=~"$node"{comma}{matchers}"#))
}

/// Rate of a counter.
pub(super) fn rate(series: &str) -> String {
    format!("rate({series}[$__rate_interval])")
}

/// Growth of a counter, in the width of a panel's step.
pub(super) fn increase(series: &str) -> String {
    format!("increase({series}[$__rate_interval])")
}

/// Reads what every replica of the cluster role exports, once.
pub(super) fn once(by: &[&str], expr: &str) -> String {
    fold("max", by, expr)
}

/// Adds up what agents export.
pub(super) fn total(by: &[&str], expr: &str) -> String {
    fold("sum", by, expr)
}

/// Takes together what has the same cluster and labels in `by`.
pub(super) fn fold(op: &str, by: &[&str], expr: &str) -> String {
    format!("{op} by ({}) ({})", [&["cluster"], by].concat().join(", "), settled(by, expr))
}

/// Of netvitals' own processes: others export families of these names too.
pub(super) fn of_netvitals(expr: &str) -> String {
    format!("{expr} and on (cluster, job, instance) {}", series("netvitals_build_info", ""))
}

/// A quantile, where anything was measured.
pub(super) fn quantile(share: &str, buckets: &str) -> String {
    format!("histogram_quantile({share}, {buckets}) >= 0")
}

/// Share of the headline's queries that succeeded.
pub(super) fn dns_success(by: &[&str]) -> String {
    let of = |name| total(by, &rate(&on_nodes(name, HEADLINE)));
    format!(
        "1 - {} / ({} > 0)",
        of("netvitals_dns_query_failures_total"),
        of("netvitals_dns_queries_total")
    )
}

/// Share of the headline's answers that took longer than `le` seconds.
pub(super) fn dns_slower(le: &str) -> String {
    let of = |name, matchers: &str| total(&[], &rate(&on_nodes(name, matchers)));
    format!(
        "1 - {} / ({} > 0)",
        of("netvitals_dns_query_duration_seconds_bucket", &format!(r#"{ANSWERED}, le="{le}""#)),
        of("netvitals_dns_query_duration_seconds_count", ANSWERED)
    )
}

/// Share of the observers that fail, of what `select` takes.
pub(super) fn failing(
    select: fn(&str, &str) -> String,
    by: &[&str],
    failing: &str,
    all: &str,
) -> String {
    format!("{} / ({} > 0)", once(by, &select(failing, "")), once(by, &select(all, "")))
}
