//! A group of an observation: what was measured, or why it was not.

use serde::{Deserialize, Serialize};

use crate::model::{Skipped, Unanswered, Unknown};

/// What an agent says of one thing that it measures. A group that is absent altogether is one
/// that the agent is too old to know.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Form<T>", into = "Form<T>", bound(serialize = "T: Clone + Serialize"))]
pub enum Group<T> {
    /// What it is.
    Read(T),
    /// It could not be read.
    Unreadable(Unreadable),
    /// It is switched off.
    Disabled,
}

/// Why an agent could not read a group; a fixed set.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// The node's control groups are not where they should be mounted.
    NoCgroups,
    /// It never got a plan.
    NoPlan,
    /// One that a newer agent knows.
    #[serde(other)]
    Other,
}

/// The JSON, in which any field may be a newer agent's.
#[derive(Deserialize, Serialize)]
struct Form<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreadable: Option<Unreadable>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
}

impl<T> From<T> for Group<T> {
    fn from(read: T) -> Self {
        Self::Read(read)
    }
}

impl<T> From<Form<T>> for Group<T> {
    fn from(form: Form<T>) -> Self {
        match form {
            Form { read: Some(read), .. } => Self::Read(read),
            Form { disabled: true, .. } => Self::Disabled,
            Form { unreadable, .. } => Self::Unreadable(unreadable.unwrap_or(Unreadable::Other)),
        }
    }
}

impl<T> From<Group<T>> for Form<T> {
    fn from(group: Group<T>) -> Self {
        let none = Self { read: None, unreadable: None, disabled: false };
        match group {
            Group::Read(read) => Self { read: Some(read), ..none },
            Group::Unreadable(why) => Self { unreadable: Some(why), ..none },
            Group::Disabled => Self { disabled: true, ..none },
        }
    }
}

/// Returns what a group says.
///
/// # Errors
///
/// Returns why it says nothing; `what` names the group.
pub(super) fn read<'a, T>(
    group: &'a Option<Group<T>>,
    what: &'static str,
) -> Result<&'a T, Unanswered> {
    match group {
        None => Err(Unknown::AgentTooOld.into()),
        Some(Group::Read(read)) => Ok(read),
        Some(Group::Disabled) => Err(Skipped::Disabled.into()),
        Some(Group::Unreadable(Unreadable::NoPlan)) => Err(Unknown::NoPlan.into()),
        Some(Group::Unreadable(_)) => Err(Unknown::Unreadable(what).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_a_newer_agent_says_is_unreadable() {
        for (json, group) in [
            (r#"{"read":7}"#, Group::Read(7)),
            (r#"{"unreadable":"no_cgroups"}"#, Group::Unreadable(Unreadable::NoCgroups)),
            (r#"{"unreadable":"no_plan"}"#, Group::Unreadable(Unreadable::NoPlan)),
            (r#"{"disabled":true}"#, Group::Disabled),
        ] {
            assert_eq!(serde_json::from_str::<Group<u8>>(json).unwrap(), group);
            assert_eq!(serde_json::to_string(&group).unwrap(), json);
        }
        for json in ["{}", r#"{"unreadable":"eclipse"}"#, r#"{"asleep":{"since":3}}"#] {
            let group: Group<u8> = serde_json::from_str(json).unwrap();
            assert_eq!(group, Group::Unreadable(Unreadable::Other), "{json}");
        }
    }

    #[test]
    fn a_group_says_why_it_says_nothing() {
        let reason = |group| read(&group, "the tide").copied();
        assert_eq!(reason(None), Err(Unknown::AgentTooOld.into()));
        assert_eq!(reason(Some(Group::Read(7))), Ok(7));
        assert_eq!(reason(Some(Group::Disabled)), Err(Skipped::Disabled.into()));
        for (why, unknown) in [
            (Unreadable::NoPlan, Unknown::NoPlan),
            (Unreadable::NoCgroups, Unknown::Unreadable("the tide")),
            (Unreadable::Other, Unknown::Unreadable("the tide")),
        ] {
            assert_eq!(reason(Some(Group::Unreadable(why))), Err(unknown.into()));
        }
    }
}
