//! The files of rules: the alerts of the source with what is the same for all.

use std::fmt::Write;

use super::words::{CHOSEN, CLUSTER, REPAIR_FIRST};
use super::{Alert, Group, Severity};

/// A line ends before this column where it can.
const WIDTH: usize = 120;

/// Where people reach the runbooks, which is not in the cluster that is sick; the status page; the
/// dashboards. Users put their own in its place.
const RUNBOOKS: &str = "https://runbooks.example.com";
const PAGE: &str = "https://netvitals.example.com";
const DASHBOARD: &str = "https://grafana.example.com/d/netvitals-overview";

/// Returns a file for `rule_files`.
pub(super) fn plain(groups: &[Group]) -> String {
    let mut text = "\
# The alerts of netvitals. Made from alerts/source/ by `UPDATE_GOLDEN=1 cargo test --test repository`: edit that.
groups:
"
    .to_owned();
    write(&mut text, groups, 2);
    text
}

/// Returns an object for the Prometheus operator.
pub(super) fn object(groups: &[Group]) -> String {
    let mut text = "\
# The alerts of netvitals. Made from alerts/source/ by `UPDATE_GOLDEN=1 cargo test --test repository`: edit that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: netvitals
  labels:
    app.kubernetes.io/name: netvitals
spec:
  groups:
"
    .to_owned();
    write(&mut text, groups, 4);
    text
}

fn write(text: &mut String, groups: &[Group], indent: usize) {
    for (at, group) in groups.iter().enumerate() {
        let mut to = To { text, indent };
        if at > 0 {
            to.text.push('\n');
        }
        to.line(0, &format!("- name: netvitals-{}", group.name));
        to.line(2, "interval: 30s");
        to.line(2, "rules:");
        for alert in &group.alerts {
            to.alert(group, alert);
        }
    }
}

struct To<'a> {
    text: &'a mut String,
    indent: usize,
}

impl To<'_> {
    fn line(&mut self, indent: usize, line: &str) {
        let indent = if line.is_empty() { 0 } else { self.indent + indent };
        _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    fn alert(&mut self, group: &Group, alert: &Alert) {
        self.line(4, &format!("- alert: Netvitals{}", alert.name));
        self.folded(6, "# ", alert.why);
        self.line(6, "expr: |-");
        for line in alert.expr.lines() {
            self.line(8, line);
        }
        self.line(6, &format!("for: {}", alert.pending));
        if !alert.keep.is_empty() {
            self.line(6, &format!("keep_firing_for: {}", alert.keep));
        }
        self.line(6, "labels:");
        self.line(8, &format!("severity: {}", alert.severity.as_str()));
        self.line(8, &format!("component: {}", group.component));
        if !alert.role.is_empty() {
            self.line(8, &format!("role: {}", alert.role));
        }
        self.line(6, "annotations:");
        self.line(8, &format!("summary: {}", alert.summary));
        self.line(8, "description: >-");
        let first = if alert.is_blind { "" } else { REPAIR_FIRST };
        let next =
            if alert.next.is_empty() { String::new() } else { format!(" Next: {}", alert.next) };
        self.folded(10, "", &format!("{CLUSTER}{}{first}{next}", alert.says));
        self.line(8, &format!("runbook_url: {RUNBOOKS}/Netvitals{}.md", alert.name));
        self.line(8, &format!("dashboard_url: {DASHBOARD}?viewPanel={}{CHOSEN}", alert.panel));
        if !alert.is_blind {
            self.line(8, &format!("status_url: {PAGE}/"));
        }
    }

    /// Writes words in lines: reading puts one space between two lines, as there was.
    fn folded(&mut self, indent: usize, mark: &str, words: &str) {
        assert!(!words.contains("  "), "a second space would be lost: {words}");
        let mut line = String::new();
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let full = self.indent + indent + mark.len() + line.len() + 1 + word.len() > WIDTH;
            if full && !line.is_empty() {
                self.line(indent, &format!("{mark}{line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        if !line.is_empty() {
            self.line(indent, &format!("{mark}{line}"));
        }
    }
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}
