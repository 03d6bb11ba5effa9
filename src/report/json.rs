//! A report as JSON, for programs; fields are added, never renamed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Answer, Lasting, Report, remedy, runbook};
use crate::check::{Finding, Layer};
use crate::cluster::Clock;
use crate::model::Unanswered;

/// What a reader may rely on; it grows when a field changes its meaning.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    /// Of the program.
    version: &'a str,
    /// When the checks were asked.
    at: String,
    verdict: &'a str,
    root_causes: Vec<RootCause<'a>>,
    /// In debug order.
    layers: Vec<Rung<'a>>,
    sources: Vec<SourceRow<'a>>,
}

#[derive(Serialize)]
struct RootCause<'a> {
    layer: &'a str,
    #[serde(flatten)]
    finding: Found<'a>,
}

#[derive(Serialize)]
struct Rung<'a> {
    layer: &'a str,
    checks: Vec<Checked<'a>>,
}

#[derive(Serialize)]
struct Checked<'a> {
    check: &'a str,
    question: &'a str,
    /// `answered`, `unknown` or `skipped`.
    result: &'a str,
    /// The answer in one line, with the numbers that prove it; empty without an answer.
    statement: &'a str,
    /// Why there is no answer.
    #[serde(flatten)]
    why: Option<Why<'a>>,
    gaps: Vec<Gap<'a>>,
    findings: Vec<Found<'a>>,
    /// Seen, and not for long enough to count.
    pending: Vec<Found<'a>>,
    /// Findings that count and are not listed.
    omitted: usize,
}

#[derive(Serialize)]
struct Why<'a> {
    /// One of a fixed set.
    reason: &'a str,
    /// In words, with the remedy.
    explanation: String,
}

#[derive(Serialize)]
struct Gap<'a> {
    part: &'a str,
    /// `unknown` or `skipped`.
    result: &'a str,
    #[serde(flatten)]
    why: Why<'a>,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'a str,
    severity: &'a str,
    subject: Subject<'a>,
    node: Option<&'a str>,
    since: Option<String>,
    message: &'a str,
    explanation: &'a str,
    remedies: Vec<Remedy<'a>>,
    /// The path on this server.
    runbook: Option<String>,
}

#[derive(Serialize)]
struct Subject<'a> {
    kind: &'a str,
    /// Empty for an object of the whole cluster.
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Remedy<'a> {
    /// `inspect`, `fix` or `verify`.
    step: &'a str,
    command: String,
    /// What it costs, and how it is undone; empty where it changes nothing.
    note: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceRow<'a> {
    source: &'a str,
    up: bool,
    last_success: Option<String>,
}

/// Returns the document; `version` is that of the program.
///
/// # Errors
///
/// Fails only when the writer of JSON does: every value here has a form in it.
pub fn write(report: &Report, version: &str) -> serde_json::Result<Vec<u8>> {
    let roots = report.roots.iter().map(|(layer, finding)| RootCause {
        layer: layer.as_str(),
        finding: found(finding, report.since(finding)),
    });
    let document = Document {
        schema_version: SCHEMA,
        version,
        at: date(report.at.unix),
        verdict: report.verdict().as_str(),
        root_causes: roots.collect(),
        layers: report.layers().map(|(layer, answers)| rung(layer, answers)).collect(),
        sources: report
            .sources
            .iter()
            .map(|source| SourceRow {
                source: source.name(),
                up: source.freshness.up,
                last_success: source.freshness.proved.map(|proved| date(proved.unix)),
            })
            .collect(),
    };
    serde_json::to_vec(&document)
}

/// Returns a moment as RFC 3339 has it, in UTC and whole seconds.
pub fn date(unix: Duration) -> String {
    let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

fn rung(layer: Layer, answers: &[Answer]) -> Rung<'_> {
    Rung { layer: layer.as_str(), checks: answers.iter().map(checked).collect() }
}

fn checked(answer: &Answer) -> Checked<'_> {
    let gap = |(part, why): &(&'static str, Unanswered)| Gap {
        part,
        result: why.result(),
        why: Why::of(*why),
    };
    Checked {
        check: answer.check.id,
        question: answer.check.question,
        result: answer.result.err().map_or("answered", Unanswered::result),
        statement: &answer.statement,
        why: answer.result.err().map(Why::of),
        gaps: answer.gaps.iter().map(gap).collect(),
        findings: answer.open.iter().map(lasting).collect(),
        pending: answer.pending.iter().map(lasting).collect(),
        omitted: answer.omitted,
    }
}

impl Why<'_> {
    fn of(unanswered: Unanswered) -> Self {
        let reason = match unanswered {
            Unanswered::Unknown(unknown) => unknown.as_str(),
            Unanswered::Skipped(skipped) => skipped.as_str(),
        };
        Self { reason, explanation: unanswered.to_string() }
    }
}

fn lasting(it: &Lasting) -> Found<'_> {
    found(&it.finding, Some(it.since))
}

fn found(finding: &Finding, since: Option<Clock>) -> Found<'_> {
    let key = &finding.subject.key;
    let remedies = remedy::commands(finding);
    Found {
        code: finding.code.id,
        severity: finding.code.severity.as_str(),
        subject: Subject {
            kind: finding.subject.kind.name,
            namespace: &key.namespace,
            name: &key.name,
        },
        node: finding.node.as_deref(),
        since: since.map(|since| date(since.unix)),
        message: &finding.message,
        explanation: finding.code.explain,
        remedies: remedies
            .map(|(remedy, command)| Remedy {
                step: remedy.step.as_str(),
                command,
                note: remedy.note,
            })
            .collect(),
        runbook: runbook::of(finding.code).map(runbook::path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check;
    use crate::cluster::Cluster;
    use crate::fixtures::{at, cluster};
    use crate::report::Past;

    /// Returns the document of `facts` that have lasted for 100 s.
    fn document(facts: impl Fn() -> Cluster) -> Value {
        let (_, past) = Report::evaluate(check::ALL, &facts(), &Past::default());
        let mut facts = facts();
        facts.tick(at(100));
        let (report, _) = Report::evaluate(check::ALL, &facts, &past);
        serde_json::from_slice(&write(&report, "1.2.3").unwrap()).unwrap()
    }

    fn check<'a>(document: &'a Value, id: &str) -> &'a Value {
        let layers = document["layers"].as_array().unwrap().iter();
        let mut checks = layers.flat_map(|layer| layer["checks"].as_array().unwrap());
        checks.find(|check| check["check"] == id).unwrap()
    }

    #[test]
    fn a_finding_is_told_with_its_remedies_and_its_runbook() {
        let document = document(|| cluster().service("shop/cart").slice("shop/cart", &["cart-1"]));
        assert_eq!(document["schemaVersion"], 1);
        assert_eq!(document["version"], "1.2.3");
        assert_eq!(document["at"], "2027-01-15T08:01:40Z");
        assert_eq!(document["verdict"], "problem");
        let finding = &check(&document, "endpoint_mismatch")["findings"][0];
        assert_eq!(finding["code"], "endpoint_mismatch.stale");
        assert_eq!(
            finding["subject"],
            json!({ "kind": "Service", "namespace": "shop", "name": "cart" })
        );
        assert_eq!(finding["runbook"], "/runbooks/NetvitalsEndpointsMismatch");
        let command = finding["remedies"][0]["command"].as_str().unwrap();
        assert!(command.contains("shop") && !command.contains('{'), "{command}");
        let root = &document["rootCauses"][0];
        assert_eq!((&root["layer"], &root["code"]), (&"service".into(), &finding["code"]));
        assert_eq!(root["since"], finding["since"]);
    }

    #[test]
    fn the_four_outcomes_are_told_apart() {
        let document = document(cluster);
        let answered = check(&document, "endpoint_mismatch");
        assert_eq!((&answered["result"], answered.get("reason")), (&"answered".into(), None));
        assert_eq!(answered["findings"], json!([]));
        let unknown = check(&document, "dns_success");
        assert_eq!((&unknown["result"], &unknown["reason"]), (&"unknown".into(), &"stale".into()));
        assert!(unknown["explanation"].as_str().unwrap().contains("agents is stale"));
        assert_eq!(document["verdict"], "unknown");
    }

    #[test]
    fn layers_stand_in_debug_order_and_each_once() {
        let document = document(cluster);
        let layers = document["layers"].as_array().unwrap().iter();
        let names: Vec<&str> = layers.map(|layer| layer["layer"].as_str().unwrap()).collect();
        let mut expected: Vec<&str> = check::ALL.iter().map(|it| it.layer.as_str()).collect();
        expected.dedup();
        assert_eq!(names, expected);
    }

    #[test]
    fn dates_are_plain() {
        assert_eq!(date(Duration::ZERO), "1970-01-01T00:00:00Z");
        assert_eq!(date(Duration::MAX), Timestamp::MAX.to_string());
    }
}
