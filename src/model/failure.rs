//! Why an attempt failed.

use serde::{Deserialize, Serialize};

/// One set for all protocols, each of which uses a part; fixed, so that it can be a label value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The prober's own kernel forbade it: a local egress policy.
    Blocked,
    /// The server could not read the query, or does not know its kind.
    Formerr,
    /// The prober ran out of descriptors, ports or buffers: says nothing of the target.
    Local,
    /// The answer is not one to the question that was asked.
    Mismatch,
    /// The name exists and has no address.
    Nodata,
    /// The name does not exist, says the server.
    Nxdomain,
    /// The server refused to answer.
    RcodeRefused,
    /// Something answered that nothing listens there.
    Refused,
    /// The connection was cut.
    Reset,
    /// The server could not find out.
    Servfail,
    /// Nothing answered before the deadline.
    Timeout,
    /// The answer did not fit into its datagram.
    Truncated,
    /// No route, or a router said so.
    Unreachable,
    /// The answer has other addresses than it should.
    WrongAnswer,
    /// None of the above, or a reason that a newer agent knows.
    #[serde(other)]
    Other,
}

impl Failure {
    /// Every failure there is.
    pub const ALL: [Self; 15] = [
        Self::Blocked,
        Self::Formerr,
        Self::Local,
        Self::Mismatch,
        Self::Nodata,
        Self::Nxdomain,
        Self::RcodeRefused,
        Self::Refused,
        Self::Reset,
        Self::Servfail,
        Self::Timeout,
        Self::Truncated,
        Self::Unreachable,
        Self::WrongAnswer,
        Self::Other,
    ];

    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Formerr => "formerr",
            Self::Local => "local",
            Self::Mismatch => "mismatch",
            Self::Nodata => "nodata",
            Self::Nxdomain => "nxdomain",
            Self::RcodeRefused => "rcode_refused",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Servfail => "servfail",
            Self::Timeout => "timeout",
            Self::Truncated => "truncated",
            Self::Unreachable => "unreachable",
            Self::WrongAnswer => "wrong_answer",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_label_value_is_the_name_in_json() {
        for failure in Failure::ALL {
            assert_eq!(serde_json::to_value(failure).unwrap(), failure.as_str());
        }
    }
}
