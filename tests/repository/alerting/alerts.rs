//! The shipped rules: names, severities, annotations, expressions, and that each has what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, iter};

use netvitals::check::{self, Severity};
use netvitals::model::Unknown;
use promql_parser::label::Matcher;

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
            // `query (printf `…` $labels.cluster)`: the query stands between backquotes, and `%q`
            // or `%[1]q` in it for a label.
            for query in text.split('`').skip(1).step_by(2) {
                let query = query.replace("check=%q", r#"check=~".+""#);
                let query = query.replace("%[1]q", "%q").replace("%q", r#""x""#);
                let (faults, _) = contract::read(&query);
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
        let mut every = vec!["dashboard_url", "description", "runbook_url"];
        // Of what is down neither a status page nor an open problem can be read.
        let is_down = name == "NetvitalsDown";
        every.extend((!is_down).then_some("status_url"));
        every.push("summary");
        assert_eq!(keys, every, "{name}");
        let summary = &rule.annotations["summary"];
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}: {summary}");
        let description = &rule.annotations["description"];
        let names_problem = description.contains(" Open problem to repair first: ");
        assert_eq!(names_problem, !is_down, "{name}: {description}");
        // Where the runbook is read, and the page, which may be what is down.
        let [runbook, page] = ["runbook_url", "status_url"]
            .map(|url| rule.annotations.get(url).and_then(|url| url.split('/').nth(2)));
        assert_ne!(runbook, page, "{name}");
        let file = format!("alerts/runbooks/{name}.md");
        assert!(fs::exists(&file).unwrap(), "{file}");
        assert!(rule.annotations["runbook_url"].ends_with(&format!("/{name}.md")), "{name}");
        let dashboard = &rule.annotations["dashboard_url"];
        assert!(dashboard.contains("&var-cluster={{ . | urlquery }}"), "{name}: {dashboard}");
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
        Unknown::CutOff => Unknown::Denied,
        Unknown::Denied => Unknown::Forbidden("Pod"),
        Unknown::Forbidden(_) => Unknown::NoPlan,
        Unknown::NoPlan => Unknown::NoResolver,
        Unknown::NoResolver => Unknown::NoSocket,
        Unknown::NoSocket => Unknown::NotFound("Pod"),
        Unknown::NotFound(kind) => Unknown::NotListed(kind),
        Unknown::NotListed(_) => Unknown::Panicked,
        Unknown::Panicked => Unknown::Stale("Pod"),
        Unknown::Stale(_) => Unknown::TooFewSamples,
        Unknown::TooFewSamples => Unknown::TooMany("Pod"),
        Unknown::TooMany(kind) => Unknown::Undecided(kind),
        Unknown::Undecided(why) => Unknown::Undecoded(why),
        Unknown::Undecoded(what) => Unknown::Unread(what),
        Unknown::Unread(what) => Unknown::Unreadable(what),
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

/// Codes that a rule judges by itself, from what their check measures too.
const JUDGED_HERE: [(&str, &str); 6] = [
    ("dns_success.low", "NetvitalsDNSSuccessLow"),
    ("dns_success.node_low", "NetvitalsDNSSuccessLow"),
    ("dns_success.slow", "NetvitalsDNSLatencyHigh"),
    ("ip_pools.filling", "NetvitalsIPPoolFilling"),
    ("ip_pools.full", "NetvitalsIPPoolExhausted"),
    ("ip_pools.services_filling", "NetvitalsIPPoolFilling"),
];

#[test]
fn every_problem_and_every_warning_is_read_by_a_rule() {
    let rules = source::rules();
    let selectors: Vec<_> =
        rules.iter().flat_map(|rule| contract::findings(&rule.parsed())).collect();
    for check in check::ALL {
        for code in check.codes.iter().filter(|code| code.severity != Severity::Info) {
            let labels =
                [("check", check.id), ("code", code.id), ("severity", code.severity.as_str())];
            let is_read = selectors.iter().any(|by| {
                let value = |name: &str| labels.iter().find(|it| it.0 == name).map(|it| it.1);
                let says = |it: &Matcher| value(&it.name).is_none_or(|value| it.is_match(value));
                // A selector by something else, such as the kind alone, is for no code.
                by.iter().any(|it| ["check", "code"].contains(&&*it.name)) && by.iter().all(says)
            });
            let here = JUDGED_HERE.iter().find(|(known, _)| *known == code.id);
            let here = here.is_some_and(|(_, alert)| names().contains(*alert));
            assert!(is_read != here, "{}: read {is_read}, judged here {here}", code.id);
        }
    }
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
    ] {
        assert_eq!(rules.rule(alert, severity).threshold(), threshold, "{alert} {severity}");
    }
}
