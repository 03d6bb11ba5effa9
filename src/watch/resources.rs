//! `resources` of containers and of whole pods, as the API sends them.

use serde::Deserialize;

use super::quantity::Lenient;
use crate::model::{Amount, Bounds};

/// What is kept of limits and requests.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Resources {
    limits: Option<Amounts>,
    requests: Option<Amounts>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Amounts {
    cpu: Option<Lenient>,
    memory: Option<Lenient>,
}

impl Resources {
    /// Returns what `actual` says, and what `wanted` does where that says nothing: only what runs
    /// has the former, and not on every version.
    pub(super) fn bounds(actual: Option<Self>, wanted: Option<Self>) -> Bounds {
        let actual = actual.map(Bounds::from).filter(|actual| *actual != Bounds::default());
        actual.or_else(|| wanted.map(Bounds::from)).unwrap_or_default()
    }
}

impl From<Resources> for Bounds {
    fn from(Resources { limits, requests }: Resources) -> Self {
        let (limits, requests) = (limits.unwrap_or_default(), requests.unwrap_or_default());
        Self {
            cpu_limit: amount(limits.cpu, 1000.0),
            cpu_request: amount(requests.cpu, 1000.0),
            memory_limit: amount(limits.memory, 1.0),
        }
    }
}

fn amount(said: Option<Lenient>, each: f64) -> Amount {
    match said.map(|said| said.units(each)) {
        None => Amount::Unset,
        Some(Some(units)) => Amount::Of(units),
        Some(None) => Amount::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Resources> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    fn bounds(actual: &str, wanted: &str) -> [Amount; 3] {
        let Bounds { cpu_limit, cpu_request, memory_limit } =
            Resources::bounds(read(actual), read(wanted));
        [cpu_limit, cpu_request, memory_limit]
    }

    #[test]
    fn what_is_so_comes_before_what_is_wanted() {
        use Amount::{Of, Unreadable, Unset};

        let kubeadm =
            r#"{"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}}"#;
        let limited = r#"{"limits": {"cpu": "0.2", "memory": 178257920}, "requests": {"cpu": 1}}"#;
        let mebi = 1_048_576;
        for (actual, wanted, expected) in [
            ("null", "null", [Unset; 3]),
            ("{}", "{}", [Unset; 3]),
            ("null", kubeadm, [Unset, Of(100), Of(170 * mebi)]),
            (r#"{"limits": null, "requests": {}}"#, kubeadm, [Unset, Of(100), Of(170 * mebi)]),
            (limited, kubeadm, [Of(200), Of(1000), Of(170 * mebi)]),
            // A limit that is asked for and not there yet.
            (kubeadm, limited, [Unset, Of(100), Of(170 * mebi)]),
            ("null", r#"{"limits": {"cpu": "0"}}"#, [Of(0), Unset, Unset]),
            // What cannot be read hides nothing beside it.
            (
                "null",
                r#"{"limits": {"cpu": "many", "memory": "1Gi"}, "requests": {"cpu": []}}"#,
                [Unreadable, Unreadable, Of(1024 * mebi)],
            ),
            (r#"{"limits": {"cpu": true}}"#, kubeadm, [Unreadable, Unset, Unset]),
        ] {
            assert_eq!(bounds(actual, wanted), expected, "{actual} {wanted}");
        }
    }
}
