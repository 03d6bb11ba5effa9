//! Answers.

use crate::model::{Key, Kind};

/// Whether policies let traffic through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// They do, or none speaks of it.
    Allow,
    /// These select the pod, and no rule of theirs lets it through.
    Deny(Vec<&'a Key>),
    /// That depends on what is not known.
    Indeterminate(Doubt<'a>),
    /// No policy can speak of it.
    NotApplicable(Exempt),
}

/// What an answer depends on; of several the gravest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Doubt<'a> {
    /// What is not known.
    pub reason: Reason,
    /// The policy that asks for it, where it is one.
    pub policy: Option<&'a Key>,
}

/// Why there is no certain answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// A rule has a range of addresses, and the pod at the other end has no address yet.
    NoAddress,
    /// A rule names a port, and the pod that gets the traffic declares none of that name.
    PortName,
    /// Egress rules name a port beside a range of addresses, and a pod has one of that name and in
    /// the range: some engines know it by its address, and others look at the range alone.
    NameOfRange,
    /// The pod at the other end is on its node's own network: each engine treats it its own way.
    HostNetwork,
    /// A rule asks for labels of a namespace that is not known.
    Namespace,
    /// A policy has what no API server lets in today.
    NotUnderstood,
    /// A policy of the namespace cannot be decoded.
    Undecoded,
    /// A policy of another API selects the pod, and may decide before or after all these.
    OtherApi(&'static Kind),
}

/// Why no policy can speak of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exempt {
    /// There is no pod of that name, or none at all on the side that is asked about.
    NoPod,
    /// The pod has ended.
    Ended,
    /// The pod is on its node's own network.
    HostNetwork,
    /// Policies know TCP, UDP and SCTP alone.
    Protocol,
}

/// What one thing says; the greater the surer that it lets through.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Says {
    No,
    Perhaps(Reason),
    Yes,
}

impl Says {
    /// What is said where one of `all` is enough.
    pub(super) fn any(all: impl IntoIterator<Item = Self>) -> Self {
        let mut most = Self::No;
        for one in all {
            most = most.max(one);
            if most == Self::Yes {
                break;
            }
        }
        most
    }
}

impl From<bool> for Says {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

/// What a selector says.
impl From<Option<bool>> for Says {
    fn from(matches: Option<bool>) -> Self {
        matches.map_or(Self::Perhaps(Reason::NotUnderstood), Self::from)
    }
}
