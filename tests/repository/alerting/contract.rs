//! What an expression may say: names and labels that the program has, counters only as rates, and
//! nothing that two replicas of the cluster role would say twice.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use netvitals::family::{Desc, Type};
use netvitals::model::Vantage;
use netvitals::{check, report, role};
use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, parse};
use promql_parser::util::{ExprVisitor, walk_expr};

use super::pending::{CODES, FAMILIES};

/// Labels that a scrape gives to every series.
const TARGET: [&str; 3] = ["cluster", "instance", "job"];

/// Labels that a scrape without `honorLabels` takes for the target, and moves to `exported_…`.
const CLASHING: [&str; 4] = ["namespace", "node", "pod", "service"];

/// Series that are not ours.
const FOREIGN: [(&str, &[&str]); 2] = [
    ("up", &["namespace", "node", "pod"]),
    ("ALERTS", &["alertname", "alertstate", "severity", "component", "role"]),
];

/// Functions that make a counter useful.
const RATES: [&str; 2] = ["increase", "rate"];

/// Returns every family that the program has.
pub(crate) fn families() -> impl Iterator<Item = &'static Desc> {
    report::families().chain(role::checked()).chain(role::live())
}

/// Returns every code of a finding that the program has.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    check::ALL.iter().flat_map(|check| check.codes).map(|code| code.id)
}

/// Returns the matchers of each selector of findings in `expr`.
pub(crate) fn findings(expr: &Expr) -> Vec<Vec<Matcher>> {
    struct Findings(Vec<Vec<Matcher>>);
    impl ExprVisitor for Findings {
        type Error = Infallible;
        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
            if let Expr::VectorSelector(it) = expr
                && it.name.as_deref() == Some("netvitals_finding")
            {
                self.0.push(it.matchers.matchers.clone());
            }
            Ok(true)
        }
    }
    let mut findings = Findings(Vec::new());
    let Ok(_) = walk_expr(&mut findings, expr);
    findings.0
}

/// Returns what is wrong with `expr`, and the families that it reads.
pub(crate) fn read(expr: &str) -> (Vec<String>, BTreeSet<String>) {
    let families = families().chain(FAMILIES).map(|desc| (desc.name, desc)).collect();
    let mut reader = Reader { families, faults: Vec::new(), seen: BTreeSet::new() };
    match parse(expr) {
        Ok(expr) => _ = reader.labels(&expr, Around::default()),
        Err(why) => reader.faults.push(why),
    }
    (reader.faults, reader.seen)
}

struct Reader {
    families: BTreeMap<&'static str, &'static Desc>,
    faults: Vec<String>,
    seen: BTreeSet<String>,
}

/// The labels of a result, and whether each is what the program exported under any setting.
type Labels = BTreeMap<String, bool>;

/// What is nearest around a selector.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    aggregate: Option<&'a str>,
    function: Option<&'a str>,
}

impl Reader {
    fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    fn labels(&mut self, expr: &Expr, around: Around<'_>) -> Labels {
        match expr {
            Expr::Aggregate(it) => self.aggregate(it, around),
            Expr::Binary(it) => self.binary(it, around),
            Expr::Call(it) => self.call(it, around),
            Expr::Unary(it) => self.labels(&it.expr, around),
            Expr::Paren(it) => self.labels(&it.expr, around),
            Expr::Subquery(it) => self.labels(&it.expr, around),
            Expr::VectorSelector(it) => self.selector(it.name.as_deref(), &it.matchers, around),
            Expr::MatrixSelector(it) => {
                self.selector(it.vs.name.as_deref(), &it.vs.matchers, around)
            }
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Labels::new(),
        }
    }

    fn aggregate(&mut self, it: &AggregateExpr, around: Around<'_>) -> Labels {
        let op = it.op.to_string();
        let inner = self.labels(&it.expr, Around { aggregate: Some(&op), ..around });
        match &it.modifier {
            Some(LabelModifier::Include(kept)) => {
                for label in &kept.labels {
                    match inner.get(label) {
                        None => self.fault(format!("{op} by {label}, which nothing in it has")),
                        Some(false) => self.fault(format!(
                            "{op} by {label}, which may be the target's: move exported_{label} back"
                        )),
                        Some(true) => {}
                    }
                }
                kept.labels.iter().map(|label| (label.clone(), true)).collect()
            }
            Some(LabelModifier::Exclude(_)) => {
                self.fault(format!("{op} without …: name the labels that are kept"));
                inner
            }
            None => Labels::new(),
        }
    }

    fn binary(&mut self, it: &BinaryExpr, around: Around<'_>) -> Labels {
        let mut left = self.labels(&it.lhs, around);
        let right = self.labels(&it.rhs, around);
        let modifier = it.modifier.as_ref();
        match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(on)) => {
                for label in &on.labels {
                    if !left.contains_key(label) || !right.contains_key(label) {
                        self.fault(format!("{} on {label}, which one side lacks", it.op));
                    }
                }
            }
            Some(LabelModifier::Exclude(_)) => self.fault("ignoring …: name what is matched on"),
            None => {}
        }
        if it.op.to_string() == "or" {
            left.extend(right);
        } else if left.is_empty() {
            left = right;
        }
        left
    }

    fn call(&mut self, it: &Call, around: Around<'_>) -> Labels {
        let around = Around { function: Some(it.func.name), ..around };
        let mut labels = Labels::new();
        for arg in &it.args.args {
            labels.extend(self.labels(arg, around));
        }
        if it.func.name == "label_replace" {
            let text = |at: usize| match it.args.args.get(at).map(|arg| &**arg) {
                Some(Expr::StringLiteral(text)) => text.val.clone(),
                _ => String::new(),
            };
            let (to, from) = (text(1), text(3));
            // From no label, which sets one.
            if !from.is_empty() && !labels.contains_key(from.trim_start_matches("exported_")) {
                self.fault(format!("label_replace from {from}, which nothing in it has"));
            }
            labels.insert(to, true);
        }
        labels
    }

    fn selector(&mut self, name: Option<&str>, by: &Matchers, around: Around<'_>) -> Labels {
        let Some(name) = name else {
            self.fault("a selector without a name");
            return Labels::new();
        };
        let (own, counts) = if let Some((_, labels)) = FOREIGN.iter().find(|it| it.0 == name) {
            (labels.iter().map(|label| (*label, true)).collect(), false)
        } else if let Some((desc, suffix)) = self.family(name) {
            self.seen.insert(desc.name.to_owned());
            self.replicas(desc, around);
            let labels = desc.labels.iter().map(|label| (*label, !CLASHING.contains(label)));
            let le = (suffix == "_bucket").then_some(("le", true));
            (labels.chain(le).collect(), desc.ty != Type::Gauge)
        } else {
            self.fault(format!("{name} is no family of netvitals"));
            return Labels::new();
        };
        let own: BTreeMap<&str, bool> = own;
        let rated = around.function.is_some_and(|function| RATES.contains(&function));
        match (counts, rated) {
            // Whether a counter exists is a question too.
            (true, false) if around.aggregate != Some("group") => {
                self.fault(format!("{name} only ever grows: take its rate"));
            }
            (false, true) => self.fault(format!("the rate of {name}, which is a state")),
            _ => {}
        }
        for matcher in by.matchers.iter().chain(by.or_matchers.iter().flatten()) {
            if !own.contains_key(&*matcher.name) && !TARGET.contains(&&*matcher.name) {
                self.fault(format!("{name} has no label {}", matcher.name));
            }
            self.matcher(matcher);
            let bounds = match self.family(name) {
                Some((Desc { ty: Type::Histogram(bounds), .. }, "_bucket")) => *bounds,
                _ => continue,
            };
            // As `page.rs` writes them.
            let known = bounds.iter().any(|bound| format!("{bound:?}") == matcher.value);
            if matcher.name == "le" && !known {
                self.fault(format!("{name} has no bound {}", matcher.value));
            }
        }
        let own = own.into_iter().map(|(label, settled)| (label.to_owned(), settled));
        own.chain(TARGET.map(|label| (label.to_owned(), true))).collect()
    }

    /// Returns the family of a series, and what a histogram adds to its name.
    fn family(&self, name: &str) -> Option<(&'static Desc, &'static str)> {
        ["", "_bucket", "_sum", "_count"].into_iter().find_map(|suffix| {
            let desc = self.families.get(name.strip_suffix(suffix)?)?;
            let histogram = matches!(desc.ty, Type::Histogram(_));
            (histogram != suffix.is_empty()).then_some((*desc, suffix))
        })
    }

    /// Every replica of the cluster role exports the same.
    fn replicas(&mut self, desc: &Desc, around: Around<'_>) {
        let of_agents =
            desc.labels.contains(&"vantage") && !desc.name.starts_with("netvitals_agent");
        let once = matches!(around.aggregate, Some("max" | "min" | "group"))
            || around.function == Some("absent");
        // Self metrics that are counted in each process are no statement about the cluster.
        let of_a_process = desc.name == "netvitals_build_info";
        if !of_agents && !once && !of_a_process {
            self.fault(format!("{} comes from every replica: take its max by …", desc.name));
        }
    }

    /// Values from fixed sets are in their sets.
    fn matcher(&mut self, matcher: &Matcher) {
        let codes: BTreeSet<&str> = codes().chain(CODES.iter().copied()).collect();
        let set: BTreeSet<&str> = match matcher.name.as_str() {
            "code" => codes,
            "check" => codes.iter().filter_map(|code| code.split('.').next()).collect(),
            "severity" => ["info", "warning", "problem", "critical"].into(),
            "vantage" => Vantage::ALL.map(Vantage::as_str).into(),
            "scope" => ["cluster", "node", "shared"].into(),
            _ => return,
        };
        let known = match &matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => set.contains(&*matcher.value),
            MatchOp::Re(regex) | MatchOp::NotRe(regex) => {
                // As Prometheus does, the whole value.
                let whole = |value: &&&str| {
                    regex.find(value).is_some_and(|found| found.as_str() == **value)
                };
                set.iter().any(|value| whole(&value))
            }
        };
        if !known {
            self.fault(format!("{matcher} matches nothing that there is"));
        }
    }
}

#[test]
fn what_an_expression_must_not_say_is_seen() {
    for (expr, fault) in [
        ("max(", "unclosed left parenthesis"),
        ("max by (check) (netvitals_check_unkown)", "is no family of netvitals"),
        (r#"max by (check) (netvitals_check_unknown{part="x"})"#, "has no label part"),
        ("max by (part) (netvitals_check_unknown)", "max by part, which nothing in it has"),
        ("max without (instance) (netvitals_check_unknown)", "name the labels that are kept"),
        ("sum by (check) (netvitals_check_unknown)", "comes from every replica"),
        ("netvitals_check_unknown == 1", "comes from every replica"),
        ("max by (task) (netvitals_task_panics_total)", "only ever grows"),
        ("max by (check) (rate(netvitals_check_unknown[5m]))", "which is a state"),
        ("sum(rate(netvitals_probe_duration_seconds[5m]))", "is no family of netvitals"),
        ("sum(netvitals_probe_duration_seconds_count)", "only ever grows"),
        (r#"sum(rate(netvitals_probe_duration_seconds_bucket{le="0.3"}[5m]))"#, "has no bound 0.3"),
        ("max by (namespace) (netvitals_root_cause)", "move exported_namespace back"),
        (r#"max by (code) (netvitals_finding{code="dns_success.lo"})"#, "matches nothing"),
        (r#"max by (code) (netvitals_finding{code=~"dns[.].*"})"#, "matches nothing"),
        (r#"max by (code) (netvitals_finding{check="dns"})"#, "matches nothing"),
        ("max by (code) (netvitals_finding) and on (node) up", "which one side lacks"),
    ] {
        let (faults, _) = read(expr);
        assert!(faults.iter().any(|it| it.contains(fault)), "{expr}: {faults:?}");
    }
}

#[test]
fn what_an_expression_may_say_is_borne() {
    for expr in [
        "sum by (cluster) (rate(netvitals_probe_attempts_total[5m]))",
        r#"max by (code, name) (netvitals_finding{code=~"dns_success[.].+"}) == 1"#,
        r#"max by (namespace) (
          label_replace(netvitals_root_cause, "namespace", "$1", "exported_namespace", "(.+)"))"#,
        "absent(netvitals_report_timestamp_seconds)",
    ] {
        assert_eq!(read(expr).0, [""; 0], "{expr}");
    }
}
