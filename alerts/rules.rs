//! The shipped rules as data: for the tests, the generator of the dashboard, and a test bed that
//! cannot wait.
//!
//! Not a module of the program: it is taken in by path.
//!
//! ```text
//! #[path = "../alerts/rules.rs"]
//! mod rules;
//!
//! // Windows of 5 m become 1 m, `for: 2m` becomes 24 s; no window is shorter than 20 s.
//! let file = Rules::shipped().shortened(5, Duration::from_secs(20)).to_file();
//! ```

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use promql_parser::parser::ast::Offset;
use promql_parser::parser::{Expr, parse};
use promql_parser::util::visitor::{ExprVisitorMut, walk_expr_mut};
use promql_parser::util::{display_duration, parse_duration};
use serde::{Deserialize, Serialize};

/// The source, as it ships.
pub(crate) const SOURCE: &str = include_str!("netvitals.rules.yaml");

/// A file of rules, as Prometheus reads it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// In the order of the file.
    pub(crate) groups: Vec<Group>,
}

/// Rules that are evaluated together.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_firing_for: Option<String>,
    /// `severity` and `component` among them.
    pub(crate) labels: BTreeMap<String, String>,
    /// Summary, description and links.
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Rules {
    /// Returns what ships.
    pub(crate) fn shipped() -> Self {
        serde_saphyr::from_str(SOURCE).expect("the shipped rules are rules")
    }

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

    /// Returns the same rules with every time divided by `by`: the intervals, `for`,
    /// `keep_firing_for`, and the windows and offsets of expressions, of which none gets shorter
    /// than `window`. Numbers stay, so a guard of 20 samples wants them `by` times as fast, and
    /// the 300 s and the day of the two rules that compute with times stay what they are.
    pub(crate) fn shortened(mut self, by: u32, window: Duration) -> Self {
        let shorter = |text: &str| display_duration(&(duration(text) / by));
        for group in &mut self.groups {
            group.interval = shorter(&group.interval);
            for rule in &mut group.rules {
                rule.pending = shorter(&rule.pending);
                rule.keep_firing_for = rule.keep_firing_for.as_deref().map(shorter);
                let mut expr = rule.parsed();
                let Ok(_) = walk_expr_mut(&mut Shorter { by, window }, &mut expr);
                rule.expr = expr.to_string();
            }
        }
        self
    }

    /// Returns a file for Prometheus: JSON, which is YAML too.
    pub(crate) fn to_file(&self) -> String {
        serde_json::to_string_pretty(self).expect("rules are text by text")
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

struct Shorter {
    by: u32,
    window: Duration,
}

impl Shorter {
    fn shorten(&self, duration: &mut Duration) {
        *duration = (*duration / self.by).max(self.window);
    }
}

impl ExprVisitorMut for Shorter {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &mut Expr) -> Result<bool, Infallible> {
        let offset = match expr {
            Expr::MatrixSelector(it) => {
                self.shorten(&mut it.range);
                &mut it.vs.offset
            }
            Expr::VectorSelector(it) => &mut it.offset,
            _ => return Ok(true),
        };
        if let Some(Offset::Pos(offset) | Offset::Neg(offset)) = offset {
            self.shorten(offset);
        }
        Ok(true)
    }
}
