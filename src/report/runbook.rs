//! Where the long answer to a finding stands.

use crate::check::{self, Code};

/// Returns the name of the runbook of a code: its own, or its check's.
pub fn of(code: &Code) -> Option<&'static str> {
    let check = || check::ALL.iter().find(|check| check.codes.iter().any(|it| it.id == code.id));
    code.runbook.or_else(|| check().map(|check| check.runbook))
}

/// Returns where every server has a runbook.
pub fn path(runbook: &str) -> String {
    format!("/runbooks/{runbook}")
}
