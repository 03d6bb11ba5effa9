//! Why a Service gets no load balancer, as the words of what makes load balancers tell.
//!
//! A message is a chain of the controller's words, those of a library and those of the provider, each
//! in its own form in each version. So nothing but pieces is looked for, without their case.

/// Of a message no more is looked at; the API keeps a kilobyte.
const MOST: usize = 4096;

/// Of a message no more is kept, in characters.
const KEPT: usize = 200;

/// What keeps a Service from its load balancer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// There may be no more of them.
    Quota,
    /// There is no subnet for it, or none with an address that is free.
    Subnets,
    /// What makes it may not.
    Permissions,
    /// Another has the address, the port or the name that it asks for.
    Conflict,
    /// There is no node that it could lead to.
    NoNodes,
    /// No pool has an address for it.
    NoAddresses,
    /// The words are not known.
    Other,
}

use Refusal::{Conflict, NoAddresses, NoNodes, Other, Permissions, Quota, Subnets};

/// Pieces of messages, all of which have to be there, and what they mean.
type Rule = (Refusal, &'static [&'static str]);

/// The first that fits counts: clouds call a quota forbidden, and who may not look for subnets finds
/// none.
const RULES: &[Rule] = &[
    // Too many requests pass by themselves, and are no quota of load balancers.
    (Other, &["requestlimitexceeded"]),
    (Other, &["ratelimitexceeded"]),
    (Other, &["rate limit"]),
    (Other, &["throttl"]),
    (Other, &["too many requests"]),
    (Other, &["toomanyrequests"]),
    (Quota, &["quota", "exceed"]),
    (Quota, &["overquota"]),
    (Quota, &["over quota"]),
    (Quota, &["insufficient quota"]),
    (Quota, &["quota_exhausted"]),
    (Quota, &["limitexceeded"]),
    (Quota, &["limit_exceeded"]),
    (Quota, &["limits were exceeded"]),
    (Quota, &["countlimitreached"]),
    (Quota, &["limit reached"]),
    (Quota, &["reached", "limit"]),
    (Quota, &["toomanyloadbalancers"]),
    (Quota, &["toomanytargetgroups"]),
    (Quota, &["toomanylisteners"]),
    (Quota, &["toomanytargets"]),
    (Quota, &["exceed maximum number"]),
    (Quota, &["cannot have more than"]),
    (Permissions, &["accessdenied"]),
    (Permissions, &["access denied"]),
    (Permissions, &["unauthorizedoperation"]),
    (Permissions, &["unauthorized"]),
    (Permissions, &["unauthenticated"]),
    (Permissions, &["not authorized"]),
    (Permissions, &["notauthorized"]),
    (Permissions, &["authorizationfailed"]),
    (Permissions, &["not have authorization"]),
    (Permissions, &["not have permission"]),
    (Permissions, &["forbidden"]),
    (Permissions, &["permission", "required"]),
    (Permissions, &["permission denied"]),
    (Permissions, &["nocredentialproviders"]),
    (Permissions, &["no valid providers in chain"]),
    (Permissions, &["failed to refresh cached credentials"]),
    (Permissions, &["failed to retrieve credentials"]),
    (Permissions, &["invalidclienttokenid"]),
    (Permissions, &["expiredtoken"]),
    (Permissions, &["invalid_grant"]),
    (Permissions, &["insufficient authentication scopes"]),
    (Permissions, &["status code: 403"]),
    (Permissions, &["statuscode: 403"]),
    (Permissions, &["statuscode=403"]),
    (Permissions, &["error 403"]),
    (Permissions, &["status code: 401"]),
    (Permissions, &["error 401"]),
    (Conflict, &["already in use"]),
    (Conflict, &["also in use"]),
    (Conflict, &["is in use"]),
    (Conflict, &["in-use"]),
    (Conflict, &["ip_in_use"]),
    (Conflict, &["ipaddressinuse"]),
    (Conflict, &["already being used"]),
    (Conflict, &["already used by"]),
    (Conflict, &["already reserved"]),
    (Conflict, &["already allocated"]),
    (Conflict, &["already assigned"]),
    (Conflict, &["change sharing key"]),
    (Conflict, &["can't share"]),
    (Conflict, &["duplicateloadbalancername"]),
    (Conflict, &["rulesusesamebackendport"]),
    (Subnets, &["couldn't auto-discover subnets"]),
    (Subnets, &["at least one subnet"]),
    (Subnets, &["qualified subnets"]),
    (Subnets, &["suitable subnets"]),
    (Subnets, &["matching subnet"]),
    (Subnets, &["no subnet"]),
    (Subnets, &["subnet must be"]),
    (Subnets, &["subnet", "not found"]),
    (Subnets, &["failed to find subnet"]),
    (Subnets, &["invalidsubnet"]),
    (Subnets, &["subnetisfull"]),
    (Subnets, &["subnet", "free addresses"]),
    (Subnets, &["subnet", "not enough ip"]),
    (NoAddresses, &["no available ip"]),
    (NoAddresses, &["no addresses available"]),
    (NoAddresses, &["no more ip addresses available"]),
    (NoAddresses, &["no free ip"]),
    (NoAddresses, &["no ip", "available", "pool"]),
    (NoAddresses, &["pool", "exhausted"]),
    // What MetalLB says until 0.15 of a pool that has none left.
    (NoAddresses, &["[\"<nil>\"] is not allowed in config"]),
    (NoNodes, &["no available nodes"]),
    (NoNodes, &["no nodes available"]),
    (NoNodes, &["no ready nodes"]),
];

/// Reasons of events that are about load balancers without saying so.
const REASONS: [&str; 8] = [
    // The AWS load balancer controller.
    "FailedBuildModel",
    "FailedDeployModel",
    "FailedAddFinalizer",
    "FailedRemoveFinalizer",
    "FailedUpdateStatus",
    // MetalLB.
    "AllocationFailed",
    // GKE.
    "ForwardingRuleUnusable",
    "UnsupportedConfiguration",
];

impl Refusal {
    /// Every one, so that each has its words.
    pub const ALL: [Self; 7] = [Quota, Subnets, Permissions, Conflict, NoNodes, NoAddresses, Other];

    /// Reads a warning about a Service; absent where it says nothing of a load balancer.
    pub fn of(reason: &str, message: &str) -> Option<Self> {
        if reason == "UnAvailableLoadBalancer" {
            return Some(NoNodes);
        }
        if !reason.contains("LoadBalancer") && !REASONS.contains(&reason) {
            return None;
        }
        let end = message.char_indices().map(|(at, _)| at).find(|at| *at >= MOST);
        let text = message[..end.unwrap_or(message.len())].to_ascii_lowercase();
        let fits = |(_, pieces): &&Rule| pieces.iter().all(|piece| text.contains(piece));
        Some(RULES.iter().find(fits).map_or(Other, |(refusal, _)| *refusal))
    }

    /// Reads the reason of a condition that does not hold, as Cilium has them.
    pub fn of_condition(reason: &str) -> Self {
        match reason {
            "no_pool" | "out_of_ips" => NoAddresses,
            taken if taken.starts_with("already_allocated") => Conflict,
            _ => Other,
        }
    }
}

/// What a warning says, cut to one short line of what may be printed.
pub(crate) fn cut(reason: &str, message: &str) -> Box<str> {
    let shown = |char: &char| !matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    let whole = [reason, ": ", message];
    let chars = whole.iter().flat_map(|it| it.chars()).take(MOST).filter(shown);
    let mut text = String::new();
    let mut length = 0;
    for char in chars {
        let char = match char {
            char if char.is_whitespace() || char.is_control() => ' ',
            // It is shown between these.
            '"' => '\'',
            char => char,
        };
        if char == ' ' && (text.is_empty() || text.ends_with(' ')) {
            continue;
        }
        if length == KEPT {
            text.push('…');
            break;
        }
        text.push(char);
        length += 1;
    }
    text.trim_end().trim_end_matches(['.', ':']).into()
}

#[cfg(test)]
mod tests;
