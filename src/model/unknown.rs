//! Why a question has no answer.

use std::fmt;

/// No answer: the view is broken, or there is nothing to ask about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Unanswered {
    /// The answer exists and cannot be seen; never healthy.
    Unknown(Unknown),
    /// There is nothing to answer in this cluster; neutral.
    Skipped(Skipped),
}

/// Why an answer cannot be seen. The text names the source, the label only the reason.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Unknown {
    /// An agent's version does not measure this yet.
    AgentTooOld,
    /// Something answers in the place of the agents' targets: a service mesh, a proxy.
    Captured,
    /// No agent reaches any other node, so that none can tell what is wrong elsewhere.
    CutOff,
    /// All that an agent is to ask has addresses that no agent may be sent to.
    Denied,
    /// The API refuses to list the kind.
    Forbidden(&'static str),
    /// An agent never got a plan.
    NoPlan,
    /// An agent has no nameserver that it can ask.
    NoResolver,
    /// An agent's attempts never leave its machine: it has no sockets, ports or memory for them.
    NoSocket,
    /// What the configuration names is not in the cluster.
    NotFound(&'static str),
    /// The first list of the kind has not ended.
    NotListed(&'static str),
    /// The check has a bug.
    Panicked,
    /// Nothing has proved the source alive of late.
    Stale(&'static str),
    /// Too few attempts to judge by.
    TooFewSamples,
    /// There are more objects of the kind than are kept.
    TooMany(&'static str),
    /// What can be seen leaves it open: the API does not say, or not what something else does.
    Undecided(&'static str),
    /// An object of the kind cannot be decoded.
    Undecoded(&'static str),
    /// It is there, and too large, or not where it is looked for.
    Unread(&'static str),
    /// An agent cannot read it on its node.
    Unreadable(&'static str),
}

/// Why there is nothing to answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Skipped {
    /// The configuration switches it off.
    Disabled,
    /// Such a thing cannot be in a cluster like this one: a single node has no peers.
    NotApplicable,
    /// The configuration does not ask for it.
    NotConfigured,
    /// The cluster has no such kind.
    NotInstalled,
}

impl Unanswered {
    /// The name in JSON.
    pub const fn result(self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Skipped(_) => "skipped",
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => why.fmt(f),
            Self::Skipped(why) => why.fmt(f),
        }
    }
}

impl Unknown {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentTooOld => "agent_too_old",
            Self::Captured => "captured",
            Self::CutOff => "cut_off",
            Self::Denied => "denied",
            Self::Forbidden(_) => "forbidden",
            Self::NoPlan => "no_plan",
            Self::NoResolver => "no_resolver",
            Self::NoSocket => "no_socket",
            Self::NotFound(_) => "not_found",
            Self::NotListed(_) => "not_listed",
            Self::Panicked => "panicked",
            Self::Stale(_) => "stale",
            Self::TooFewSamples => "too_few_samples",
            Self::TooMany(_) => "too_many",
            Self::Undecided(_) => "undecided",
            Self::Undecoded(_) => "undecoded",
            Self::Unread(_) => "unread",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgentTooOld => {
                f.write_str("an agent is too old to measure it: finish its rollout")
            }
            Self::Captured => f.write_str(
                "something answers in the place of the targets: keep the agents out of the mesh",
            ),
            Self::CutOff => f.write_str(
                "no agent reaches any other node: look at whether a policy restricts the agents, \
                 then at pod_reachability",
            ),
            Self::Forbidden(kind) => {
                write!(f, "{kind} is forbidden: grant list and watch in the ClusterRole")
            }
            Self::Denied => f.write_str(
                "an agent may be sent to none of its targets: look at their addresses, which are \
                 loopback, link-local or a cloud's own",
            ),
            Self::NoPlan => f.write_str(
                "an agent never got a plan: look at the log of the agent, and at whether it reaches \
                 the Service of the cluster role",
            ),
            Self::NoResolver => f.write_str(
                "an agent has no nameserver that it can ask: look at /etc/resolv.conf in its pod, \
                 and at its dnsPolicy",
            ),
            Self::NoSocket => f.write_str(
                "an agent's attempts do not leave its machine: look at its open files, and at the \
                 ports and memory of its node",
            ),
            Self::NotFound(what) => {
                write!(f, "{what} is not in the cluster: correct the configuration")
            }
            Self::NotListed(kind) => write!(f, "{kind} is not listed yet: wait, then read the log"),
            Self::Panicked => f.write_str("the check panicked: report the message in the log"),
            Self::Stale(source) => write!(f, "{source} is stale: look at source_up and at the log"),
            Self::TooFewSamples => f.write_str("too few samples: wait for more attempts"),
            Self::TooMany(kind) => {
                write!(f, "there are more objects of {kind} than are kept: remove those not needed")
            }
            Self::Undecided(why) => write!(f, "what can be seen does not decide it: {why}"),
            Self::Undecoded(kind) => write!(f, "a {kind} cannot be decoded: the log names it"),
            Self::Unread(what) => write!(f, "{what} is not read: look at the runbook of its check"),
            Self::Unreadable(what) => {
                write!(f, "{what} cannot be read on a node: the log of its agent says why")
            }
        }
    }
}

impl Skipped {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NotApplicable => "not_applicable",
            Self::NotConfigured => "not_configured",
            Self::NotInstalled => "not_installed",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "check.disable or part.disable switches it off",
            Self::NotApplicable => "this cluster has no such thing",
            Self::NotConfigured => "the configuration does not ask for it",
            Self::NotInstalled => "the cluster has no such kind",
        })
    }
}

impl From<Unknown> for Unanswered {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl From<Skipped> for Unanswered {
    fn from(skipped: Skipped) -> Self {
        Self::Skipped(skipped)
    }
}
