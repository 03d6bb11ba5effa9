//! The alerts of netvitals: the one source, of which the files of rules are made.
//!
//! An alert is its expression, its severity and its words. The rest is added here: the cluster
//! before its description, what to repair first behind it, the command, and the links.
//!
//! How expressions are written:
//!
//! - The first comparison is the judgement, and its value is what annotations print. Guards follow.
//! - Agents' series are summed. Series of the cluster role are read only by `max by (…)`, because
//!   every replica exports the same; a replica that is gone or behind then changes nothing.
//! - A scrape with `honorLabels: false` moves `namespace`, `node` and `pod` to `exported_…`.
//!   [`promql`] moves them back, so that an alert names the subject and not the pod that exported
//!   it. A label that may be empty is never kept, because such a scrape fills it with the target's.
//! - `cluster` is kept everywhere; it is harmless where there is none.
//! - Where a check judges, its findings are read and nothing is judged twice.
//!
//! Not a module of the program: it is taken in by path.

mod cni;
mod coredns;
mod dns;
mod endpoints;
mod external;
mod ip_pools;
mod own;
mod policy;
pub(crate) mod promql;
mod reachability;
mod words;
mod yaml;

use crate::rules::Rules;

/// How bad it is: `critical`, workloads are hurt now or netvitals is blind; `warning`, look during
/// the day; `info`, context for others.
#[derive(Clone, Copy)]
enum Severity {
    Critical,
    Warning,
    Info,
}

/// One alert of one severity.
struct Alert {
    /// Its name, without the program's; severities of one thing share it.
    name: &'static str,
    severity: Severity,
    /// What a reader of the expression must know, in the rendered file too.
    why: &'static str,
    /// When it holds.
    expr: String,
    /// How long it must hold: `for`.
    pending: &'static str,
    /// How long the alert outlasts it: `keep_firing_for`.
    keep: &'static str,
    /// Which of several with this name and severity it is.
    role: &'static str,
    /// A sentence without values.
    summary: &'static str,
    /// What is so, where, and what it means; a template of Prometheus.
    says: String,
    /// Nothing else that netvitals says reaches whoever reads it, so that no open problem is named.
    is_blind: bool,
    /// What to run next; `NAMESPACE` is where netvitals runs.
    next: &'static str,
    /// The panel of the dashboard that shows it.
    panel: u32,
}

/// Alerts that are evaluated together: one domain of failures.
struct Group {
    name: &'static str,
    component: &'static str,
    alerts: Vec<Alert>,
}

/// Returns every group, in the order of the file.
fn groups() -> Vec<Group> {
    vec![
        dns::group(),
        coredns::group(),
        ip_pools::group(),
        endpoints::group(),
        reachability::group(),
        external::group(),
        policy::group(),
        cni::group(),
        own::group(),
    ]
}

/// Returns the rules as Prometheus reads them.
pub(crate) fn rules() -> Rules {
    serde_saphyr::from_str(&file()).expect("what is rendered are rules")
}

/// Returns the file that users load.
pub(crate) fn file() -> String {
    yaml::plain(&groups())
}

/// Returns the same as an object for the Prometheus operator.
pub(crate) fn object() -> String {
    yaml::object(&groups())
}

const fn critical(name: &'static str) -> Alert {
    alert(name, Severity::Critical)
}

const fn warning(name: &'static str) -> Alert {
    alert(name, Severity::Warning)
}

const fn info(name: &'static str) -> Alert {
    alert(name, Severity::Info)
}

const fn alert(name: &'static str, severity: Severity) -> Alert {
    Alert {
        name,
        severity,
        why: "",
        expr: String::new(),
        pending: "",
        keep: "",
        role: "",
        summary: "",
        says: String::new(),
        is_blind: false,
        next: "",
        panel: 0,
    }
}
