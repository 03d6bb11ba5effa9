//! What netvitals makes of whole clusters: API objects and observations in, page and report out.
//!
//! The way is the real one, from the API's JSON by the real client and watches to the owner;
//! only the sockets and the clock are not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use netvitals::check;
use netvitals::cluster::{Change, Clock, Settings};
use netvitals::model::{Agent, Kind, Observation, Vantage};
use netvitals::owner::Owner;
use netvitals::page::{Format, write};
use netvitals::report::text::{self, Style};
use netvitals::report::{Answer, Report, json};
use netvitals::sim::api::Api;
use netvitals::watch;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// 2027-01-15T08:00:00Z.
const BEGIN: Duration = Duration::from_secs(1_800_000_000);

/// Between the two looks at the facts: longer than any grace.
const LATER: Duration = Duration::from_secs(70);

/// How long the watches get, in paused time: one that is forbidden is only sure after a while.
const FOLLOWED: Duration = Duration::from_secs(100);

/// The case that the others are told by their differences from.
const HEALTHY: &str = "tests/cases/healthy";

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/cases").expect("the cases");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Reads a file of a case, if it has it.
fn read(case: &Path, file: &str) -> Option<String> {
    let path = case.join(file);
    path.exists().then(|| fs::read_to_string(path).expect("a file in UTF-8"))
}

fn yaml<T: DeserializeOwned>(text: &str, case: &Path) -> Vec<T> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

/// The API of a case.
fn api(case: &Path, stop: &CancellationToken) -> Api {
    let api = Api::new(stop.clone());
    // What a cluster may lack is there, and may be empty.
    for kind in watch::ALL.iter().map(|watch| watch.kind).filter(|kind| kind.optional) {
        api.install(kind, kind.versions[0]);
    }
    for folder in [Path::new(HEALTHY), case] {
        for object in yaml::<Value>(&read(folder, "objects.yaml").unwrap_or_default(), case) {
            let is_meant = |kind: &Kind| kind.optional && object["kind"] == kind.name;
            if let Some(kind) = watch::ALL.iter().map(|it| it.kind).find(|kind| is_meant(kind)) {
                // A cluster has what there are objects of.
                api.install(kind, kind.versions[0]);
            }
            if object["deleted"] == true {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let (kind, meta) = (text(&object["kind"]), &object["metadata"]);
                api.delete(&kind, &text(&meta["namespace"]), &text(&meta["name"]));
            } else {
                api.put(object).expect("an object with kind and name");
            }
        }
    }
    for kind in read(case, "forbidden").unwrap_or_default().lines() {
        api.forbid(kind, true);
    }
    api
}

/// What the agents of a case say: what those of `healthy` say, and the case's faults.
fn observations(case: &Path) -> Vec<(Agent, Observation)> {
    let healthy = Path::new(HEALTHY);
    let said = read(healthy, "observations.yaml").expect("what agents say");
    let mut said: BTreeMap<String, Value> = yaml(&said, healthy).remove(0);
    // What begins with a dot only holds what others refer to.
    said.retain(|agent, _| !agent.starts_with('.'));
    let faults = read(case, "faults.yaml").unwrap_or_else(|| "[]".to_owned());
    for fault in yaml::<Vec<Fault>>(&faults, case).remove(0) {
        let mut found = 0;
        said.retain(|agent, _| !fault.silent.contains(agent));
        for (agent, said) in &mut said {
            if fault.agents.is_empty() || fault.agents.contains(agent) {
                found += fault.make(said);
            }
        }
        let meant = fault.silent.len() + found;
        assert!(meant > 0, "{}: nothing is like {}", case.display(), fault.r#where);
    }
    let agent = |name: &str| {
        let (node, vantage) = name.split_once('/').expect("node/vantage");
        let vantage = Vantage::ALL.into_iter().find(|it| it.as_str() == vantage);
        let vantage = vantage.expect("pod or host");
        Agent { node: node.into(), vantage }
    };
    let read = |said| serde_json::from_value::<Observation>(said).expect("an observation");
    said.into_iter().map(|(name, said)| (agent(&name), read(said))).collect()
}

/// What agents say otherwise than in `healthy`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fault {
    /// Agents that say nothing.
    silent: Vec<String>,
    /// Whose observations it is about; all when empty.
    agents: Vec<String>,
    /// What a row has to have.
    r#where: Value,
    /// What the row has instead.
    set: Value,
}

impl Fault {
    /// Changes every row of `said` that has what it has to; returns how many did.
    fn make(&self, said: &mut Value) -> usize {
        match said {
            Value::Object(_) if !self.set.is_null() && has(said, &self.r#where) => {
                put(said, &self.set);
                1
            }
            Value::Object(fields) => fields.values_mut().map(|it| self.make(it)).sum(),
            Value::Array(rows) => rows.iter_mut().map(|it| self.make(it)).sum(),
            _ => 0,
        }
    }
}

/// Whether `value` has every field of `part`, and those theirs.
fn has(value: &Value, part: &Value) -> bool {
    match part {
        Value::Object(fields) => fields.iter().all(|(key, part)| has(&value[key], part)),
        part => value == part,
    }
}

/// Puts the fields of `part` over those of `value`.
fn put(value: &mut Value, part: &Value) {
    match (value, part) {
        (Value::Object(value), Value::Object(fields)) => {
            for (key, part) in fields {
                put(value.entry(key.as_str()).or_insert(Value::Null), part);
            }
        }
        (value, part) => *value = part.clone(),
    }
}

/// Hands over what the watches say for a while.
async fn follow(owner: &mut Owner, changes: &mut Receiver<Change>) {
    let enough = Instant::now() + FOLLOWED;
    while let Ok(Some(change)) = timeout_at(enough, changes.recv()).await {
        assert!(owner.step(change).is_none());
    }
}

async fn report(case: &Path, without: Option<&Kind>) -> Report {
    let stop = CancellationToken::new();
    let api = api(case, &stop);
    without.into_iter().for_each(|kind| api.forbid(kind.label, true));
    let client = Client::new(api.routes(), "default");
    let (sender, mut changes) = mpsc::channel(1024);
    watch::run_all(&client, &sender, &TaskTracker::new(), &stop);
    let mut owner = Owner::new(check::ALL, Settings::default());
    let mut report = None;
    for uptime in [Duration::from_secs(100), Duration::from_secs(100) + LATER] {
        let now = Clock { uptime, unix: BEGIN + uptime };
        owner.step(Change::Now(now));
        follow(&mut owner, &mut changes).await;
        for (agent, said) in observations(case) {
            owner.step(Change::Observed(agent, Box::new(said)));
        }
        report = owner.step(Change::Tick { now, spent: Duration::ZERO });
    }
    stop.cancel();
    report.expect("the second tick comes long after the first")
}

/// Compares with what was written, or writes; returns what differs.
fn compare(case: &Path, file: &str, made: &str) -> Option<String> {
    let path = case.join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, made).expect("a folder that can be written to");
        return None;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    if written == made {
        return None;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&written), lines(made));
    let mut text = format!("{}:\n", path.display());
    for (sign, these, others) in [('-', &old, &new), ('+', &new, &old)] {
        for line in these.iter().filter(|line| !others.contains(line)).take(20) {
            text += &format!("  {sign} {line}\n");
        }
    }
    Some(text)
}

/// What netvitals makes of a case: the page, the report as text, and as JSON.
async fn told(case: &Path) -> [String; 3] {
    let report = report(case, None).await;
    let page = write(&[report.rows()], Format::Text);
    let text = text::write(&report, Style { color: false, ascii: false });
    let json = json::write(&report, "0.0.0").expect("a report is JSON");
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    [page, text, format!("{json:#}\n")]
}

/// Returns the lines that `new` has otherwise than `old`, so that what all cases share stands in
/// one of them: lines that went begin with `-`, those that came with `+`.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // How many lines the rests from (old, new) on have in common, in order.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (at, line) in old.iter().enumerate().rev() {
        for (to, other) in new.iter().enumerate().rev() {
            common[at][to] = if line == other {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    let (mut at, mut to, mut text) = (0, 0, String::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            (at, to) = (at + 1, to + 1);
        } else if to == new.len() || (at < old.len() && common[at + 1][to] >= common[at][to + 1]) {
            text += &format!("-{}\n", old[at]);
            at += 1;
        } else {
            text += &format!("+{}\n", new[to]);
            to += 1;
        }
    }
    text
}

#[test]
fn a_difference_is_what_went_and_what_came() {
    for (old, new, expected) in [
        ("a\nb\nc\n", "a\nb\nc\n", ""),
        ("a\nb\nc\n", "a\nB\nc\nd\n", "-b\n+B\n+d\n"),
        ("a\nb\n", "b\na\n", "-a\n+a\n"),
        ("", "a\n", "+a\n"),
    ] {
        assert_eq!(difference(old, new), expected, "{old:?} {new:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_case_is_told_as_it_was_written_down() {
    let healthy = told(Path::new(HEALTHY)).await;
    let mut differences = String::new();
    for case in cases() {
        if case == Path::new(HEALTHY) {
            for (file, made) in ["page.txt", "report.txt", "report.json"].into_iter().zip(&healthy)
            {
                differences += &compare(&case, file, made).unwrap_or_default();
            }
            continue;
        }
        let told = told(&case).await;
        let files = ["page.diff", "report.diff", "json.diff"];
        for ((file, made), healthy) in files.into_iter().zip(told).zip(&healthy) {
            // JSON says in many lines what the other two do, so only a few cases show it.
            if file != "json.diff" || case.join(file).exists() {
                let made = difference(healthy, &made);
                differences += &compare(&case, file, &made).unwrap_or_default();
            }
        }
    }
    assert!(differences.is_empty(), "{differences}see tests/cases/README.md");
}

#[tokio::test(start_paused = true)]
async fn a_case_comes_out_the_same_every_time() {
    let case = Path::new(HEALTHY);
    assert_eq!(told(case).await, told(case).await);
}

/// What each check answers, and the rows of its families.
fn answers(report: &Report) -> BTreeMap<&'static str, String> {
    let answer = |answer: &Answer| {
        let Answer { check, result, gaps, statement, open, .. } = answer;
        let own = |name: &str| check.families.iter().any(|family| family.name == name);
        let rows: Vec<_> = report.rows().iter().filter(|(desc, _)| own(desc.name)).collect();
        let found: Vec<_> =
            open.iter().map(|it| (it.finding.code.id, &it.finding.message)).collect();
        (check.id, format!("{result:?} {gaps:?} {statement} {found:?} {rows:?}"))
    };
    report.answers.iter().map(answer).collect()
}

#[tokio::test(start_paused = true)]
async fn a_check_depends_on_the_kinds_that_it_declares_and_on_no_other() {
    let healthy = Path::new(HEALTHY);
    let all = answers(&report(healthy, None).await);
    for watch in watch::ALL {
        let without = answers(&report(healthy, Some(watch.kind)).await);
        for check in check::ALL {
            let declared = check.needs.iter().chain(check.wants).any(|kind| *kind == watch.kind);
            let (id, kind) = (check.id, watch.kind.label);
            assert_eq!(all[id] != without[id], declared, "{id} without {kind}: {}", without[id]);
        }
    }
}
