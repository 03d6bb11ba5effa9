//! What can be wrong: how bad it is, how it is explained, and what to do about it.

use std::time::Duration;

use crate::model::Kind;

/// One thing that can be wrong.
///
/// A code is made by [`problem`](Self::problem), [`warning`](Self::warning) or [`info`](Self::info)
/// and the methods that follow them, each of which says one thing.
#[derive(Debug)]
pub struct Code {
    /// `<check>.<case>`, stable for ever.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The kinds that the subjects of its findings have.
    pub subjects: &'static [&'static Kind],
    /// How long it must last before it counts.
    pub grace: Duration,
    /// What it means to a user, in one sentence.
    pub explain: &'static str,
    /// What to run, in order.
    pub remedies: &'static [Remedy],
    /// As what it is felt: a cause explains all codes of a symptom.
    pub symptoms: &'static [Symptom],
    /// Whether it neither explains nor is explained.
    pub independent: bool,
    /// Its runbook, where that is not its check's.
    pub runbook: Option<&'static str>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look before it breaks.
    Warning,
    /// Breaks its layer.
    Problem,
}

/// As what broken things are felt elsewhere.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Symptom {
    /// What the pods of a node feel when their network is broken; an agent is one of them.
    PodsOfNode,
    /// What others see of such a node's pods.
    PodsFromOutside,
    /// What slices do that are not as their pods are.
    Slices,
    /// What agents see that may not ask DNS.
    AgentsAsk,
    /// What agents see that may not reach others.
    AgentsReach,
    /// What is seen of agents that may not be asked.
    AgentsAnswer,
}

/// A command for a person; its holes are `{namespace}`, `{name}` and `{node}`, and those that a
/// finding fills besides.
#[derive(Debug)]
pub struct Remedy {
    /// What the command is for.
    pub step: Step,
    /// The command, as bash and zsh take it.
    pub command: &'static str,
    /// What it costs, and how it is undone; empty where it changes nothing.
    pub note: &'static str,
}

/// What a remedy's command is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// To see it.
    Inspect,
    /// To repair it.
    Fix,
    /// To see that it is repaired.
    Verify,
}

impl Code {
    /// Declares what breaks its layer.
    pub const fn problem(id: &'static str, subjects: &'static [&'static Kind]) -> Self {
        Self::new(id, Severity::Problem, subjects)
    }

    /// Declares what is worth a look.
    pub const fn warning(id: &'static str, subjects: &'static [&'static Kind]) -> Self {
        Self::new(id, Severity::Warning, subjects)
    }

    /// Declares what is worth knowing.
    pub const fn info(id: &'static str, subjects: &'static [&'static Kind]) -> Self {
        Self::new(id, Severity::Info, subjects)
    }

    const fn new(id: &'static str, severity: Severity, subjects: &'static [&'static Kind]) -> Self {
        Self {
            id,
            severity,
            subjects,
            grace: Duration::ZERO,
            explain: "",
            remedies: &[],
            symptoms: &[],
            independent: false,
            runbook: None,
        }
    }

    /// It counts after so many seconds.
    pub const fn after(self, seconds: u64) -> Self {
        Self { grace: Duration::from_secs(seconds), ..self }
    }

    /// What it means to a user, in one sentence.
    pub const fn explain(self, explain: &'static str) -> Self {
        Self { explain, ..self }
    }

    /// What to run, in order.
    pub const fn remedies(self, remedies: &'static [Remedy]) -> Self {
        Self { remedies, ..self }
    }

    /// As what it is felt.
    pub const fn felt_as(self, symptoms: &'static [Symptom]) -> Self {
        Self { symptoms, ..self }
    }

    /// It neither explains nor is explained.
    pub const fn independent(self) -> Self {
        Self { independent: true, ..self }
    }

    /// It has a runbook of its own.
    pub const fn runbook(self, runbook: &'static str) -> Self {
        Self { runbook: Some(runbook), ..self }
    }
}

impl Severity {
    /// Every severity, so that each has a series.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Problem];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Remedy {
    /// Shows it.
    pub const fn inspect(command: &'static str) -> Self {
        Self { step: Step::Inspect, command, note: "" }
    }

    /// Repairs it; `note` says what that costs, and how it is undone.
    pub const fn fix(command: &'static str, note: &'static str) -> Self {
        Self { step: Step::Fix, command, note }
    }

    /// Shows that it is repaired.
    pub const fn verify(command: &'static str) -> Self {
        Self { step: Step::Verify, command, note: "" }
    }
}

impl Step {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Fix => "fix",
            Self::Verify => "verify",
        }
    }
}
