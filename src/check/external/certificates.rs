//! Are certificates renewed in time?
//!
//! As cert-manager says of its own objects; no Secret is read. A Certificate stays ready while its
//! renewals fail, in some versions even once it has expired, so that its times are compared with our
//! clock: past the moment when it was to be renewed is the early sign. What holds up the newest
//! request for it is told with it, down to the challenge.
//!
//! Left out: what Secrets hold, and what clients are shown; certificates that cert-manager does not
//! make; issuers that other programs bring, which are neither missing nor not ready; requests that
//! were denied or have failed and are for no Certificate; Orders for CertificateSigningRequests; the
//! words of messages, but for what a challenge waits for.

mod age;
mod codes;
mod issuance;
mod issuers;
mod stuck;

use std::time::Duration;

use self::age::LONG;
pub use self::codes::{
    CHALLENGE_STUCK, EXPIRED, EXPIRING, ISSUER_MISSING, ISSUER_NOT_READY, ISSUER_UNUSED,
    NO_APPROVER, NOT_READY, NOT_RENEWED, REQUEST_STUCK, STUCK_DELETING,
};
use self::issuance::Issuance;
use self::issuers::Issuers;
use crate::check::age::{is_old, lasts};
use crate::check::words::{count, long, others, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Fact, Issuer, Key, Order, Skipped,
    Status, Unanswered,
};

/// Looks at every Certificate, and at what cert-manager makes to get one.
pub static CHECK: Check = Check {
    id: "certificates",
    layer: Layer::External,
    question: "Are certificates renewed in time?",
    runbook: "NetvitalsCertificateNotRenewed",
    needs: &[Certificate::KIND],
    wants: &[
        CertificateRequest::KIND,
        Issuer::KIND,
        ClusterIssuer::KIND,
        Order::KIND,
        Challenge::KIND,
    ],
    families: &[CERTIFICATES.desc()],
    codes: &[
        &EXPIRED,
        &NOT_READY,
        &EXPIRING,
        &NOT_RENEWED,
        &ISSUER_MISSING,
        &ISSUER_NOT_READY,
        &NO_APPROVER,
        &REQUEST_STUCK,
        &CHALLENGE_STUCK,
        &STUCK_DELETING,
        &ISSUER_UNUSED,
    ],
    run,
};

static CERTIFICATES: Family<1> = Family::gauge(
    "netvitals_cert_manager_certificates",
    "Certificates of cert-manager, each by the worst that is so of it.",
    ["state"],
);

/// What a Certificate is, the worst first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Expired,
    NotReady,
    Expiring,
    NotRenewed,
    NoIssuer,
    Issuing,
    Ready,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let certificates = cluster.read::<Certificate>()?;
    out.lacks("certificates", certificates);
    let issuers = Issuers::of(cluster, certificates, out);
    let issuance = Issuance::of(cluster, out);
    let is_empty =
        certificates.iter().next().is_none() && issuers.is_empty() && issuance.is_empty();
    if is_empty && !certificates.has_undecoded() {
        return Err(Skipped::NotApplicable.into());
    }
    let mut states = Vec::new();
    for (key, certificate) in certificates.iter().filter(|(_, it)| !it.terminating) {
        let state = State::of(cluster, certificate, issuers.is_missing(key, certificate));
        tell(cluster, out, (key, certificate), state, &issuance);
        states.push(state);
    }
    issuers.tell(cluster, out);
    stuck::tell(cluster, out);
    let number = |state| states.iter().filter(|it| **it == state).count();
    for state in State::ALL {
        out.sample(&CERTIFICATES, [state.as_str()], number(state) as f64);
    }
    let all = some(states.len(), "Certificate");
    let mut statement = format!("{} of {all} ready", count(number(State::Ready)));
    statement += &others(State::ALL[..6].iter().map(|it| (number(*it), it.words())));
    out.statement(statement);
    Ok(())
}

/// Tells what is so of a Certificate.
fn tell(
    cluster: &Cluster,
    out: &mut Output,
    (key, certificate): (&Key, &Certificate),
    state: State,
    issuance: &Issuance<'_>,
) {
    let unix = cluster.now().unix;
    let ago = |moment| long(unix.abs_diff(moment));
    let left = certificate.not_after.map(|end| long(end.saturating_sub(unix))).unwrap_or_default();
    let (code, what): (&'static Code, String) = match state {
        State::Issuing | State::Ready => return,
        State::Expired => {
            let since = certificate.not_after.map(ago).unwrap_or_default();
            (&EXPIRED, format!("expired {since} ago"))
        }
        State::NotReady if is_true(certificate) => {
            (&NOT_READY, "its last change has not been looked at".to_owned())
        }
        State::NotReady => {
            let lasts = lasts(cluster, begin(certificate));
            let reason =
                certificate.ready.as_ref().map_or("nothing is said of it", |it| &*it.reason);
            (&NOT_READY, format!("not ready{lasts}, {reason}"))
        }
        State::Expiring => match certificate.renewal {
            Some(renewal) => {
                let was = ago(renewal);
                (&EXPIRING, format!("expires in {left}, and was to be renewed {was} ago"))
            }
            None => {
                let message = format!(
                    "expires in {left}, and cert-manager is not to renew it: look at who is to"
                );
                out.finding(Finding::of::<Certificate>(&EXPIRING, key.clone(), message));
                return;
            }
        },
        State::NotRenewed => {
            let was = certificate.renewal.map(ago).unwrap_or_default();
            (&NOT_RENEWED, format!("was to be renewed {was} ago, and expires in {left}"))
        }
        State::NoIssuer => {
            let issuer = issuers::named(&certificate.issuer);
            let next = "look at how its name is written";
            let message = format!("its {issuer} is not there: {next}");
            out.finding(Finding::of::<Certificate>(&ISSUER_MISSING, key.clone(), message));
            return;
        }
    };
    let failures = match certificate.failures {
        0 => String::new(),
        number => {
            let last = certificate.failed.map(|moment| format!(", the last {} ago", ago(moment)));
            let last = last.unwrap_or_default();
            format!("; {} failed{last}", some(number as usize, "attempt"))
        }
    };
    let held = issuance.words(key, certificate);
    let message = format!("{what}{failures}{held}");
    out.finding(Finding::of::<Certificate>(code, key.clone(), message));
}

/// Returns since when it is as its condition says; nothing changes before it is made.
fn begin(certificate: &Certificate) -> Option<Duration> {
    certificate.ready.as_ref().and_then(|ready| ready.since).max(certificate.created)
}

fn is_true(certificate: &Certificate) -> bool {
    certificate.ready.as_ref().is_some_and(|ready| ready.status == Status::True)
}

impl State {
    const ALL: [Self; 7] = [
        Self::Expired,
        Self::NotReady,
        Self::Expiring,
        Self::NotRenewed,
        Self::NoIssuer,
        Self::Issuing,
        Self::Ready,
    ];

    fn of(cluster: &Cluster, certificate: &Certificate, has_no_issuer: bool) -> Self {
        let now = cluster.now().unix;
        let has_ended = certificate.not_after.is_some_and(|end| end <= now);
        let is_ready = is_true(certificate);
        let is_long = is_old(cluster, begin(certificate), LONG);
        if has_ended {
            Self::Expired
        } else if (!is_ready && is_long) || (is_ready && certificate.unseen) {
            Self::NotReady
        } else if age::is_expiring(cluster, certificate) {
            Self::Expiring
        } else if age::is_late(cluster, certificate) {
            Self::NotRenewed
        } else if has_no_issuer && is_old(cluster, certificate.created, LONG) {
            Self::NoIssuer
        } else if !is_ready {
            Self::Issuing
        } else {
            Self::Ready
        }
    }

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotReady => "not_ready",
            Self::Expiring => "expiring",
            Self::NotRenewed => "not_renewed",
            Self::NoIssuer => "no_issuer",
            Self::Issuing => "issuing",
            Self::Ready => "ready",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotReady => "not ready",
            Self::Expiring => "about to expire",
            Self::NotRenewed => "not renewed in time",
            Self::NoIssuer => "without an issuer",
            Self::Issuing => "to be issued",
            Self::Ready => "ready",
        }
    }
}

#[cfg(test)]
mod tests;
