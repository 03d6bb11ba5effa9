//! PromQL in the forms that alerts and panels need.

/// Labels that a scrape without `honorLabels` moves to `exported_…`.
const CLASHING: [&str; 4] = ["namespace", "node", "pod", "service"];

/// From this length on an expression takes several lines.
const LONG: usize = 116;

/// The headline's row of the agents' queries.
pub(crate) const HEADLINE: &str =
    r#"vantage="pod", path="resolver", query="cluster", protocol="udp""#;

/// The headline's row of the agents' durations, which are not told apart by protocol.
pub(crate) const ANSWERED: &str = r#"vantage="pod", path="resolver", query="cluster""#;

/// A process that has just begun: one that begins again and again is always so.
const YOUNG: &str = "time() - process_start_time_seconds < 180";

/// Moves back what a scrape moved away, of the labels in `by`.
pub(crate) fn settled(by: &[&str], expr: &str) -> String {
    let clashing = by.iter().filter(|label| CLASHING.contains(label));
    clashing.fold(expr.to_owned(), |expr, label| {
        format!(r#"label_replace({expr}, "{label}", "$1", "exported_{label}", "(.+)")"#)
    })
}

/// Takes together what has the same cluster and labels in `by`.
pub(super) fn fold(op: &str, by: &[&str], expr: &str) -> String {
    let by = [&["cluster"], by].concat().join(", ");
    if expr.len() > LONG || expr.contains('\n') {
        format!("{op} by ({by}) (\n{}\n)", indented(expr))
    } else {
        format!("{op} by ({by}) ({expr})")
    }
}

/// Reads what every replica of the cluster role exports, once.
pub(super) fn once(by: &[&str], expr: &str) -> String {
    fold("max", by, &settled(by, expr))
}

/// Adds up what agents export.
pub(super) fn total(by: &[&str], expr: &str) -> String {
    fold("sum", by, &settled(by, expr))
}

/// Asks whether there is any.
pub(super) fn exists(by: &[&str], expr: &str) -> String {
    fold("group", by, &settled(by, expr))
}

/// Counts.
pub(super) fn count(expr: &str) -> String {
    fold("count", &[], expr)
}

/// Selects findings.
pub(super) fn found(matchers: &str) -> String {
    format!("netvitals_finding{{{matchers}}}")
}

/// Selects findings that are about nodes, by `node` and the labels in `by`.
pub(super) fn nodes(by: &[&str], matchers: &str) -> String {
    let found = found(&format!(r#"{matchers}, kind="Node""#));
    // A finding's own label `node` may be empty.
    let found = format!(r#"label_replace({found}, "node", "$1", "name", "(.+)")"#);
    fold("max", &[by, &["node"]].concat(), &found)
}

/// Selects the nodes that a check has problems with.
pub(super) fn broken(check: &str) -> String {
    nodes(&[], &format!(r#"check="{check}", severity="problem""#))
}

/// Tells how many nodes are `bad`, where they are many of `all`: two and a twentieth, or the only
/// one. The series of a check's findings end at 100, so that 100 are many anyway.
pub(super) fn many(bad: &str, all: &str) -> String {
    let many = format!("clamp({all} / 20, 2, 100) - on (cluster) ({all} == bool 1)");
    lines(&[&count(bad), ">= on (cluster)", "(", &indented(&many), ")"])
}

/// Leaves out what comes from a process that has just begun.
pub(super) fn of_lasting(series: &str) -> String {
    format!("{series} unless on (cluster, job, instance) {YOUNG}")
}

/// Divides.
pub(super) fn share(part: &str, whole: &str) -> String {
    lines(&["(", &indented(&indented(part)), "  /", &indented(&indented(whole)), ")"])
}

/// Puts parts below each other.
pub(super) fn lines(parts: &[&str]) -> String {
    parts.join("\n")
}

/// Moves an expression two columns to the right.
pub(super) fn indented(expr: &str) -> String {
    let lines: Vec<String> = expr.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
