//! Whether what the report is made of can be believed.

use std::collections::BTreeSet;

use crate::check::Check;
use crate::cluster::{Cluster, Freshness};
use crate::family::{Desc, Family, Rows};
use crate::model::Kind;

/// The name of all agents together as a source.
const AGENTS: &str = "agents";

pub(super) static FAMILIES: &[Desc] = &[UP.desc(), SUCCESS.desc(), OBJECTS.desc()];

static UP: Family<1> = Family::gauge(
    "netvitals_source_up",
    "Whether a source, a watched kind or the agents, has shown life of late.",
    ["source"],
);

static SUCCESS: Family<1> = Family::gauge(
    "netvitals_source_last_success_timestamp_seconds",
    "When a source last showed life, in seconds since 1970; absent before the first time.",
    ["source"],
);

static OBJECTS: Family<1> =
    Family::gauge("netvitals_watched_objects", "Objects that are known of a kind.", ["kind"]);

/// One thing that facts come from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The kind; absent for the agents.
    pub kind: Option<&'static Kind>,
    /// Whether it can be believed.
    pub freshness: Freshness,
}

impl Source {
    /// The label value.
    pub fn name(&self) -> &'static str {
        self.kind.map_or(AGENTS, |kind| kind.label)
    }

    /// Whether it is a watched kind that showed life once and does not now.
    pub(super) fn is_silent(&self) -> bool {
        self.kind.is_some() && self.freshness.proved.is_some() && !self.freshness.up
    }

    /// Returns every source that `checks` have, whether or not it has ever been heard of, but for
    /// kinds that the cluster lacks.
    pub(super) fn all(checks: &[&'static Check], facts: &Cluster) -> Vec<Self> {
        let kinds = checks.iter().flat_map(|check| check.needs.iter().chain(check.wants).copied());
        let kinds: BTreeSet<&'static Kind> = kinds.collect();
        let kinds = kinds.into_iter().filter(|kind| facts.has_kind(kind));
        let kinds = kinds.map(|kind| Self { kind: Some(kind), freshness: facts.freshness(kind) });
        let settings = facts.settings();
        let expected = settings.agents.is_some()
            || settings.host_agents.is_some()
            || settings.named_agents > 0;
        let agents = expected.then(|| Self { kind: None, freshness: facts.freshness_of_agents() });
        kinds.chain(agents).collect()
    }

    pub(super) fn write(&self, rows: &mut Rows) {
        let Freshness { up, proved, objects } = self.freshness;
        rows.push(&UP, [self.name()], f64::from(u8::from(up)));
        if let Some(proved) = proved {
            rows.push(&SUCCESS, [self.name()], proved.unix.as_secs_f64());
        }
        if let (Some(kind), Some(objects)) = (self.kind, objects) {
            rows.push(&OBJECTS, [kind.label], objects as f64);
        }
    }
}
