//! What containers may use, and what they ask for.

use std::time::Duration;

use super::Name;

/// What bounds the containers of one pod.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Resources {
    /// All of them together: `status.resources`, or `spec.resources` where that says nothing.
    pub whole: Bounds,
    /// Those that stay while the pod does, also while they do not run.
    pub containers: Box<[Bounded]>,
}

/// What bounds one container.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bounded {
    /// Its name in the pod.
    pub name: Name,
    /// Whether it declares a port of UDP.
    pub udp: bool,
    /// `resources` of its status, which change with a resize in place, or of its spec where that
    /// says nothing.
    pub bounds: Bounds,
    /// When it ended last, since 1970, if that was because its memory was used up; the end of all
    /// time where the API does not say when.
    pub oom_killed: Option<Duration>,
}

/// Limits and requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// `limits.cpu`, in thousandths of a core.
    pub cpu_limit: Amount,
    /// `requests.cpu`, in thousandths of a core.
    pub cpu_request: Amount,
    /// `limits.memory`, in bytes.
    pub memory_limit: Amount,
}

/// How much of something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Amount {
    /// Nothing is said.
    #[default]
    Unset,
    /// As much, rounded up.
    Of(u64),
    /// Something is said that is no quantity.
    Unreadable,
}
