//! Rules as data: for the tests, and for the generator of the dashboard.
//!
//! Not a module of the program: it is taken in by path.

use std::collections::BTreeMap;
use std::time::Duration;

use promql_parser::parser::{Expr, parse};
use promql_parser::util::parse_duration;
use serde::Deserialize;

/// A file of rules, as Prometheus reads it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// In the order of the file.
    pub(crate) groups: Vec<Group>,
}

/// Rules that are evaluated together.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// One for each domain of failures.
    pub(crate) name: String,
    /// Between two evaluations.
    pub(crate) interval: String,
    /// In the order of the file.
    pub(crate) rules: Vec<Rule>,
}

/// One alert of one severity.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Its name, which it shares with its other severities.
    pub(crate) alert: String,
    /// PromQL.
    pub(crate) expr: String,
    /// How long the expression must hold.
    #[serde(rename = "for")]
    pub(crate) pending: String,
    /// How long the alert outlasts its expression.
    pub(crate) keep_firing_for: Option<String>,
    /// `severity` and `component` among them.
    pub(crate) labels: BTreeMap<String, String>,
    /// Summary, description and links.
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Rules {
    /// Returns every rule.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// Returns one rule.
    ///
    /// # Panics
    ///
    /// Panics when there is no such rule: the caller has a name that no longer exists.
    pub(crate) fn rule(&self, alert: &str, severity: &str) -> &Rule {
        self.iter()
            .find(|rule| rule.alert == alert && rule.labels["severity"] == severity)
            .unwrap_or_else(|| panic!("there is no {severity} rule {alert}"))
    }
}

impl Rule {
    /// Returns the expression, parsed.
    ///
    /// # Panics
    ///
    /// Panics on what is not PromQL, with the parser's reason.
    pub(crate) fn parsed(&self) -> Expr {
        parse(&self.expr).unwrap_or_else(|why| panic!("{}: {why}", self.alert))
    }

    /// Returns the number that the alert's value is held against: the one of the first comparison.
    pub(crate) fn threshold(&self) -> f64 {
        threshold(&self.parsed()).unwrap_or_else(|| panic!("{} compares nothing", self.alert))
    }
}

/// Returns the length of time that Prometheus reads from `text`.
pub(crate) fn duration(text: &str) -> Duration {
    parse_duration(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn threshold(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Aggregate(it) => threshold(&it.expr),
        Expr::Paren(it) => threshold(&it.expr),
        Expr::Call(it) => it.args.args.iter().find_map(|arg| threshold(arg)),
        Expr::Binary(it) => threshold(&it.lhs).or_else(|| match &*it.rhs {
            Expr::NumberLiteral(number) if it.op.is_comparison_operator() => Some(number.val),
            other => threshold(other),
        }),
        _ => None,
    }
}
