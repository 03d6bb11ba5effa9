//! How long is too long, for what cert-manager does.

use std::time::Duration;

use crate::check::age::is_long;
use crate::cluster::Cluster;
use crate::model::Certificate;

/// A first certificate, an issuer's account and an approval take seconds to minutes.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// A record of DNS may take an hour until everybody sees it.
pub(super) const STUCK: Duration = Duration::from_secs(3600);

/// After its first failure cert-manager pauses for an hour, and mostly succeeds then.
const LATE: Duration = Duration::from_secs(2 * 3600);

/// Somebody has to have time to act.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// Whether a Certificate should have been renewed: two hours ago, or for those that live for hours
/// a quarter of the time that was left for it.
pub(super) fn is_late(cluster: &Cluster, certificate: &Certificate) -> bool {
    let Some(renewal) = certificate.renewal else { return false };
    let window = certificate.not_after.map(|end| end.saturating_sub(renewal) / 4);
    let late = cluster.now().unix.saturating_sub(renewal);
    late > Duration::ZERO && is_long(cluster, late, window.unwrap_or(LATE).min(LATE))
}

/// Whether a Certificate ends soon, and nothing shows that it is renewed: in a week, or for those
/// that live shorter in the last tenth of their time.
pub(super) fn is_expiring(cluster: &Cluster, certificate: &Certificate) -> bool {
    let Some(end) = certificate.not_after else { return false };
    if certificate.renewal.is_some() && !is_late(cluster, certificate) {
        return false;
    }
    let life = certificate.not_before.map(|begin| end.saturating_sub(begin) / 10);
    end.saturating_sub(cluster.now().unix) <= life.unwrap_or(SOON).min(SOON)
}
