//! The shipped rules: names, severities, annotations, expressions, and that each has what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, iter};

use netvitals::model::Unknown;

use super::rules::duration;
use super::{contract, source};

/// The headings of a runbook, in order.
const HEADINGS: [&str; 6] =
    ["## Meaning", "## Impact", "## Diagnosis", "## Fix", "## Verify", "## What absence means"];

fn names() -> BTreeSet<String> {
    source::rules().iter().map(|rule| rule.alert.clone()).collect()
}

#[test]
fn expressions_say_what_the_program_has() {
    for rule in source::rules().iter() {
        let (faults, seen) = contract::read(&rule.expr);
        assert!(faults.is_empty(), "{}: {faults:#?}", rule.alert);
        assert!(!seen.is_empty(), "{} reads nothing of netvitals", rule.alert);
    }
}

#[test]
fn queries_of_annotations_say_what_the_program_has() {
    for rule in source::rules().iter() {
        for text in rule.annotations.values() {
            // `query (printf `…` $labels.cluster)`: the query stands between backquotes.
            for query in text.split('`').skip(1).step_by(2) {
                let (faults, _) = contract::read(&query.replace("%q", r#""""#));
                assert!(faults.is_empty(), "{}: {query}: {faults:#?}", rule.alert);
            }
        }
    }
}

#[test]
fn an_alert_has_the_form_that_users_rely_on() {
    for rule in source::rules().iter() {
        let name = &rule.alert;
        let rest = name.strip_prefix("Netvitals").unwrap_or_default();
        assert!(rest.starts_with(|first: char| first.is_ascii_uppercase()), "{name}");
        assert!(rest.len() > 1 && rest.chars().all(|it| it.is_ascii_alphanumeric()), "{name}");
        let severity = rule.labels["severity"].as_str();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        assert!(rule.labels.contains_key("component"), "{name} has no component");
        for value in rule.labels.values() {
            assert!(!value.contains("{{"), "{name}: a label must not change with the value");
        }
    }
}

#[test]
fn annotations_say_what_why_and_where_to_look() {
    for rule in source::rules().iter() {
        let name = &rule.alert;
        let keys: Vec<&str> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["dashboard_url", "description", "runbook_url", "summary"], "{name}");
        let summary = &rule.annotations["summary"];
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}: {summary}");
        let description = &rule.annotations["description"];
        let (_, cause) = description.split_once(" Root cause: ").expect("a root cause");
        assert!(cause.contains("netvitals_root_cause{cluster=%q}"), "{name}: {cause}");
        assert!(cause.ends_with("{{ else }}none is named{{ end }}."), "{name}: {cause}");
        assert!(rule.annotations["runbook_url"].ends_with(&format!("/runbooks/{name}")), "{name}");
    }
}

#[test]
fn an_alert_outlasts_two_evaluations() {
    for group in &source::rules().groups {
        let least = duration(&group.interval) * 2;
        for rule in &group.rules {
            assert!(duration(&rule.pending) >= least, "{} fires too soon", rule.alert);
            let ratio = rule.expr.contains("rate(");
            assert!(!ratio || rule.keep_firing_for.is_some(), "{} would flap", rule.alert);
        }
    }
}

#[test]
fn a_severity_comes_once_or_says_in_which_role() {
    let mut known = BTreeSet::new();
    for rule in source::rules().iter() {
        assert!(known.insert((rule.alert.clone(), rule.labels.clone())), "{}", rule.alert);
    }
}

#[test]
fn every_alert_has_its_runbook_and_no_runbook_is_left_over() {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir("alerts/runbooks").unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(text.starts_with(&format!("# {name}\n")), "{name} has another title");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
        assert!(text.contains("kubectl "), "{name} has no command");
        files.insert(name);
    }
    assert_eq!(files, names());
}

/// Returns the next reason; a new one has to be named here.
const fn next(reason: Unknown) -> Option<Unknown> {
    Some(match reason {
        Unknown::AgentTooOld => Unknown::Captured,
        Unknown::Captured => Unknown::CutOff,
        Unknown::CutOff => Unknown::Forbidden("Pod"),
        Unknown::Forbidden(kind) => Unknown::NotFound(kind),
        Unknown::NotFound(kind) => Unknown::NotListed(kind),
        Unknown::NotListed(_) => Unknown::Panicked,
        Unknown::Panicked => Unknown::Stale("Pod"),
        Unknown::Stale(_) => Unknown::TooFewSamples,
        Unknown::TooFewSamples => Unknown::TooMany("Pod"),
        Unknown::TooMany(kind) => Unknown::Undecoded(kind),
        Unknown::Undecoded(what) => Unknown::Unreadable(what),
        Unknown::Unreadable(_) => return None,
    })
}

#[test]
fn the_runbook_of_unknown_checks_has_every_reason_and_no_other() {
    let text = fs::read_to_string("alerts/runbooks/NetvitalsCheckUnknown.md").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let reasons = iter::successors(Some(Unknown::AgentTooOld), |reason| next(*reason));
    assert_eq!(
        rows.collect::<BTreeSet<_>>(),
        reasons.map(Unknown::as_str).collect::<BTreeSet<_>>()
    );
}

/// The part of a promtool test that is read here.
#[derive(serde::Deserialize)]
struct Promtool {
    tests: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    alert_rule_test: Vec<Moment>,
}

#[derive(serde::Deserialize)]
struct Moment {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Expected>,
}

#[derive(serde::Deserialize)]
struct Expected {
    exp_labels: BTreeMap<String, String>,
}

#[test]
fn every_severity_of_an_alert_is_seen_firing_silent_and_under_every_condition() {
    let (mut fired, mut silent) = (BTreeSet::new(), BTreeSet::new());
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir("alerts/tests").unwrap() {
        let path = entry.unwrap().path();
        let file: Promtool = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for case in file.tests {
            for moment in case.alert_rule_test {
                *said.entry(moment.alertname.clone()).or_default() += &format!("{}\n", case.name);
                if moment.exp_alerts.is_empty() {
                    silent.insert(moment.alertname.clone());
                }
                for expected in moment.exp_alerts {
                    fired.insert((
                        moment.alertname.clone(),
                        expected.exp_labels["severity"].clone(),
                    ));
                }
            }
        }
    }
    for rule in source::rules().iter() {
        let severity = rule.labels["severity"].clone();
        assert!(
            fired.contains(&(rule.alert.clone(), severity.clone())),
            "{} {severity}",
            rule.alert
        );
        assert!(silent.contains(&rule.alert), "{} is never silent", rule.alert);
        for condition in ["healed", "no data", "replica", "relabelled"] {
            let names = said.get(&rule.alert).map(String::as_str).unwrap_or_default();
            assert!(names.contains(condition), "{}: no test says {condition}", rule.alert);
        }
    }
}

#[test]
fn the_threshold_of_a_rule_is_its_first_comparison() {
    let rules = source::rules();
    for (alert, severity, threshold) in [
        ("NetvitalsDNSSuccessLow", "critical", 0.1),
        ("NetvitalsDNSLatencyHigh", "warning", 0.05),
        ("NetvitalsCoreDNSThrottled", "info", 0.25),
        ("NetvitalsIPPoolFilling", "info", 0.75),
        ("NetvitalsIPPoolFilling", "warning", 0.85),
        ("NetvitalsPodUnreachable", "critical", 0.05),
    ] {
        assert_eq!(rules.rule(alert, severity).threshold(), threshold, "{alert} {severity}");
    }
}

#[test]
fn the_inhibition_example_names_alerts_and_labels_that_exist() {
    #[derive(serde::Deserialize)]
    struct Example {
        inhibit_rules: Vec<Inhibition>,
    }
    #[derive(serde::Deserialize)]
    struct Inhibition {
        source_matchers: Vec<String>,
        target_matchers: Vec<String>,
        equal: Vec<String>,
    }
    let text = fs::read_to_string("alerts/inhibition.yaml").unwrap();
    let example: Example = serde_saphyr::from_str(&text).unwrap();
    let rules = source::rules();
    let mut labels: BTreeSet<&str> = ["alertname", "cluster"].into();
    for rule in rules.iter() {
        labels.extend(rule.labels.keys().map(String::as_str));
        let kept = rule.expr.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        labels.extend(kept.flat_map(|kept| kept.split(", ")));
    }
    for Inhibition { source_matchers, target_matchers, equal } in &example.inhibit_rules {
        for matcher in source_matchers.iter().chain(target_matchers) {
            let named = matcher.split(|it: char| !it.is_ascii_alphanumeric());
            for word in named.filter(|word| word.len() > 9 && word.starts_with("Netvitals")) {
                assert!(names().contains(word), "{word} is no alert");
            }
        }
        for label in equal {
            assert!(labels.contains(label.as_str()), "no alert has the label {label}");
        }
    }
}
