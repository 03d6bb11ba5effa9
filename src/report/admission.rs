//! Caps on series: those who may create objects must not be able to fill a Prometheus.
//!
//! What was there first stays: newcomers above a cap are left out and counted, so that a flood
//! hides nothing that was shown before it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::family::{Desc, Family, Rows, Series};

/// At most this many series of one family.
const FAMILY: usize = 10_000;

/// At most this many series of one family in one namespace.
const NAMESPACE: usize = 500;

/// From this many on a family's count of dropped series is shown, so that it starts at 0.
const SHOWN: usize = 100;

pub(super) static DROPPED: Family<2> = Family::counter(
    "netvitals_series_dropped_total",
    "Series that were left out of a report because of a cap, each time that a report was made.",
    ["metric", "reason"],
);

/// What the last report showed of its large families, and what all of them left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    shown: BTreeMap<&'static str, HashSet<u64>>,
    dropped: BTreeMap<(&'static str, &'static str), u64>,
}

impl Admission {
    /// Caps `rows`, and returns what the next report has to know.
    pub(super) fn admit(&self, rows: &mut Rows) -> Self {
        let mut next = Self { shown: BTreeMap::new(), dropped: self.dropped.clone() };
        for (desc, series) in rows.iter_mut() {
            next.cap(desc, series, self.shown.get(desc.name));
        }
        for ((metric, reason), count) in &next.dropped {
            rows.push(&DROPPED, [metric, reason], *count as f64);
        }
        next
    }

    fn cap(&mut self, desc: &Desc, series: &mut Series, before: Option<&HashSet<u64>>) {
        if series.len() <= SHOWN {
            return;
        }
        let namespace = desc.labels.iter().position(|label| *label == "namespace");
        let reasons = [Some("family_limit"), namespace.map(|_| "namespace_limit")];
        for reason in reasons.into_iter().flatten() {
            self.dropped.entry((desc.name, reason)).or_default();
        }
        let was_shown =
            |labels: &Vec<String>| before.is_some_and(|all| all.contains(&hash(labels)));
        let mut order: Vec<&Vec<String>> = series.keys().collect();
        // Stable, so that newcomers stay in the order of their labels.
        order.sort_by_key(|labels| !was_shown(labels));
        let (mut shown, mut of_namespace) = (HashSet::new(), BTreeMap::<&str, usize>::new());
        for labels in order {
            let namespace = namespace.map(|at| labels[at].as_str());
            let count = namespace.map(|namespace| of_namespace.entry(namespace).or_default());
            let reason = match count {
                Some(count) if *count >= NAMESPACE => "namespace_limit",
                _ if shown.len() >= FAMILY => "family_limit",
                count => {
                    count.into_iter().for_each(|count| *count += 1);
                    shown.insert(hash(labels));
                    continue;
                }
            };
            *self.dropped.entry((desc.name, reason)).or_default() += 1;
        }
        series.retain(|labels, _| shown.contains(&hash(labels)));
        self.shown.insert(desc.name, shown);
    }
}

/// Equal only for equal labels, as far as 64 bits go; of this process only.
fn hash(labels: &Vec<String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    static MISMATCHES: Family<2> =
        Family::gauge("netvitals_mismatches", "Mismatches.", ["namespace", "service"]);

    fn rows(namespace: &str, services: std::ops::Range<usize>) -> Rows {
        let mut rows = Rows::default();
        for service in services {
            rows.push(&MISMATCHES, [namespace, &format!("s{service:05}")], 1.0);
        }
        rows
    }

    fn count(rows: &Rows) -> usize {
        rows.iter().find(|(desc, _)| desc.name == "netvitals_mismatches").unwrap().1.len()
    }

    #[test]
    fn a_namespace_has_a_quota_and_the_others_keep_theirs() {
        let mut all = rows("flood", 0..600);
        all.extend(&rows("shop", 0..10));
        let admission = Admission::default().admit(&mut all);
        assert_eq!(count(&all), 510);
        assert_eq!(admission.dropped[&("netvitals_mismatches", "namespace_limit")], 100);
        assert_eq!(admission.dropped[&("netvitals_mismatches", "family_limit")], 0);
    }

    #[test]
    fn who_was_there_first_stays() {
        let mut first = rows("flood", 1000..1500);
        let admission = Admission::default().admit(&mut first);
        let mut second = rows("flood", 500..1500);
        admission.admit(&mut second);
        let (_, series) = second.iter().find(|(desc, _)| desc.labels.len() == 2).unwrap();
        assert_eq!(series.keys().next().unwrap()[1], "s01000");
    }

    #[test]
    fn a_family_has_a_cap() {
        let mut all = Rows::default();
        for namespace in 0..30 {
            all.extend(&rows(&format!("n{namespace}"), 0..400));
        }
        let admission = Admission::default().admit(&mut all);
        assert_eq!(count(&all), FAMILY);
        assert_eq!(admission.dropped[&("netvitals_mismatches", "family_limit")], 2000);
    }
}
