//! Requests and challenges that do not come to an end: of each issuer the oldest, and how many more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::age::{LONG, STUCK};
use super::codes::{CHALLENGE_STUCK, NO_APPROVER, REQUEST_STUCK, STUCK_DELETING};
use super::issuance::waiting;
use super::issuers::named;
use crate::check::age::{age, is_old, lasts};
use crate::check::words::{count, long};
use crate::check::{Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{CertificateRequest, Challenge, Key, Stage};

/// The oldest of several, and how many there are.
struct Oldest<'a, T> {
    first: (&'a Key, &'a T),
    since: Option<Duration>,
    number: usize,
}

impl<'a, T> Oldest<'a, T> {
    /// Takes together what has the same `by`; nothing is older than what has no date.
    fn of<B: Ord>(
        all: impl Iterator<Item = (&'a Key, &'a T)>,
        since: impl Fn(&T) -> Option<Duration>,
        by: impl Fn(&'a Key, &'a T) -> B,
    ) -> BTreeMap<B, Self> {
        let mut found: BTreeMap<B, Self> = BTreeMap::new();
        for first in all {
            let since = since(first.1);
            let new = || Self { first, since, number: 0 };
            let known = found.entry(by(first.0, first.1)).or_insert_with(new);
            known.number += 1;
            if since < known.since {
                (known.first, known.since) = (first, since);
            }
        }
        found
    }

    fn lasts(&self, cluster: &Cluster) -> String {
        lasts(cluster, self.since)
    }

    fn more(&self) -> String {
        match self.number {
            0 | 1 => String::new(),
            number => format!(", and {} more", count(number - 1)),
        }
    }
}

/// Tells of all that is stuck.
pub(super) fn tell(cluster: &Cluster, out: &mut Output) {
    if let Ok(requests) = cluster.read::<CertificateRequest>() {
        unapproved(cluster, out, requests);
        pending(cluster, out, requests);
    }
    if let Ok(challenges) = cluster.read::<Challenge>() {
        challenged(cluster, out, challenges);
        deleted(cluster, out, challenges);
    }
}

fn unapproved(cluster: &Cluster, out: &mut Output, requests: &Table<CertificateRequest>) {
    let all = requests.iter().filter(|(_, it)| it.stage == Stage::Unapproved);
    let all = all.filter(|(_, it)| is_old(cluster, it.created, LONG));
    for oldest in Oldest::of(all, |it| it.created, |_, it| &it.issuer).values() {
        let (key, request) = oldest.first;
        let message = format!(
            "nobody has approved or denied it{}{}, of {}: look at what approves requests, and at its \
             rights",
            oldest.lasts(cluster),
            oldest.more(),
            named(&request.issuer)
        );
        out.finding(Finding::of::<CertificateRequest>(&NO_APPROVER, key.clone(), message));
    }
}

/// Those of Certificates are told with them.
fn pending(cluster: &Cluster, out: &mut Output, requests: &Table<CertificateRequest>) {
    let is_meant = |it: &CertificateRequest| it.stage == Stage::Pending && it.certificate.is_none();
    let all = requests.iter().filter(|(_, it)| is_meant(it));
    let all = all.filter(|(_, it)| is_old(cluster, it.created, STUCK));
    for oldest in Oldest::of(all, |it| it.created, |_, it| &it.issuer).values() {
        let (key, request) = oldest.first;
        let message = format!(
            "approved, and not answered{}{}, by {}: look at its events",
            oldest.lasts(cluster),
            oldest.more(),
            named(&request.issuer)
        );
        out.finding(Finding::of::<CertificateRequest>(&REQUEST_STUCK, key.clone(), message));
    }
}

fn challenged(cluster: &Cluster, out: &mut Output, challenges: &Table<Challenge>) {
    let all = challenges.iter().filter(|(_, it)| !it.ended && it.deleted.is_none());
    let all = all.filter(|(_, it)| is_old(cluster, it.created, STUCK));
    let by = |_: &Key, it: &Challenge| (it.issuer.clone(), it.class.clone(), it.waits);
    for oldest in Oldest::of(all, |it| it.created, by).values() {
        let (key, challenge) = oldest.first;
        let (lasts, more) = (oldest.lasts(cluster), oldest.more());
        let message = format!("open{lasts}{more}; the {}", waiting(challenge));
        out.finding(Finding::of::<Challenge>(&CHALLENGE_STUCK, key.clone(), message));
    }
}

fn deleted(cluster: &Cluster, out: &mut Output, challenges: &Table<Challenge>) {
    let all = challenges.iter().filter(|(_, it)| it.deleted.is_some());
    let all = all.filter(|(_, it)| is_old(cluster, it.deleted, LONG));
    for oldest in Oldest::of(all, |it| it.deleted, |key, _| key.namespace.clone()).values() {
        let age = age(cluster, oldest.since).map(long);
        let message = format!(
            "deleted {} ago, and still there{}: look at whether cert-manager runs, and at its reason",
            age.unwrap_or_default(),
            oldest.more()
        );
        out.finding(Finding::of::<Challenge>(&STUCK_DELETING, oldest.first.0.clone(), message));
    }
}
