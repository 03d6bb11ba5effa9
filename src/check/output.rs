//! What a check says.

use std::collections::BTreeSet;

use super::{Code, Symptom};
use crate::cluster::Table;
use crate::family::{Family, Rows};
use crate::model::{Fact, Key, Name, Node, Object, Unanswered};

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub code: &'static Code,
    /// With which object.
    pub subject: Object,
    /// On which node, where that matters.
    pub node: Option<Name>,
    /// In words; they end with the next thing to look at.
    pub message: String,
    /// What fills the holes of commands besides the subject and the node.
    pub holes: Vec<(&'static str, String)>,
    /// What it can cause of all that its code may; absent means all of that.
    pub causes: Option<Vec<Symptom>>,
}

impl Finding {
    /// Says what is wrong with one object.
    pub fn of<T: Fact>(code: &'static Code, key: Key, message: impl Into<String>) -> Self {
        Self::about(code, Object { kind: T::KIND, key }, message)
    }

    /// Says what is wrong with one object whose kind is found out while running.
    pub fn about(code: &'static Code, subject: Object, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, subject, node: None, message, holes: Vec::new(), causes: None }
    }

    /// Says what is wrong with a node.
    pub fn of_node(code: &'static Code, node: &Name, message: impl Into<String>) -> Self {
        Self::of::<Node>(code, Key::new("", node.clone()), message).on(node)
    }

    /// Says on which node it is.
    pub fn on(mut self, node: &Name) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// Says that it can cause nothing but this.
    pub fn causing(self, causes: Vec<Symptom>) -> Self {
        Self { causes: Some(causes), ..self }
    }

    /// Fills a hole of commands; those with a hole that is left open are not shown.
    pub fn with(mut self, hole: &'static str, value: Option<impl ToString>) -> Self {
        self.holes.extend(value.map(|value| (hole, value.to_string())));
        self
    }
}

/// What a check says besides its answer.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) rows: Rows,
    pub(crate) findings: Vec<Finding>,
    pub(crate) gaps: BTreeSet<(&'static str, Unanswered)>,
    pub(crate) statement: String,
}

impl Output {
    /// Gives a measured value.
    pub fn sample<const L: usize>(
        &mut self,
        family: &'static Family<L>,
        labels: [&str; L],
        value: f64,
    ) {
        self.rows.push(family, labels, value);
    }

    /// Gives what was counted by upper bound; `counts` has one more for everything above.
    pub fn histogram<const L: usize>(
        &mut self,
        family: &'static Family<L>,
        labels: [&str; L],
        counts: Vec<u64>,
        sum: f64,
    ) {
        self.rows.push_histogram(family, labels, counts, sum);
    }

    /// Says what is wrong.
    pub fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says which part has no answer while the others have one.
    pub fn gap(&mut self, part: &'static str, why: impl Into<Unanswered>) {
        self.gaps.insert((part, why.into()));
    }

    /// Says that a part has no whole answer, where an object of a table cannot be read.
    pub fn lacks<T: Fact>(&mut self, part: &'static str, table: &Table<T>) {
        if let Err(why) = table.whole() {
            self.gap(part, why);
        }
    }

    /// Answers the question in one line, with the numbers that prove it.
    pub fn statement(&mut self, statement: impl Into<String>) {
        self.statement = statement.into();
    }
}
