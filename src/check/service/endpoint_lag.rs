//! Do EndpointSlices follow their pods in time?
//!
//! Between a pod's end and the slice that says so, a part of the Service's traffic is lost. The
//! controller takes less than a second; when it falls behind, that is the first sign.
//!
//! Left out: what changed while a list was under way, because a list does not say when.

use std::time::Duration;

use super::LOOK_AGAIN;
use crate::check::words::{count, share};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Symptom};
use crate::cluster::Cluster;
use crate::cluster::endpoints::{self, LAG_BOUNDS};
use crate::family::Family;
use crate::model::{EndpointSlice, Fact, Node, Pod, Service, Unanswered};

/// Tells what is measured while watches are applied.
pub static CHECK: Check = Check {
    id: "endpoint_lag",
    layer: Layer::Service,
    question: "Do EndpointSlices follow their pods in time?",
    runbook: "NetvitalsEndpointsLagging",
    needs: &[Service::KIND, Pod::KIND, EndpointSlice::KIND, Node::KIND],
    wants: &[],
    families: &[SECONDS.desc(), OLDEST.desc()],
    codes: &[&LAGGING],
    run,
};

static SECONDS: Family<0> = Family::histogram(
    "netvitals_endpoint_lag_seconds",
    "From a pod's change to an EndpointSlice that says so, as the own watches show both.",
    [],
    LAG_BOUNDS,
);

static OLDEST: Family<0> = Family::gauge(
    "netvitals_endpoint_oldest_mismatch_timestamp_seconds",
    "Since when the oldest change is in no EndpointSlice, since 1970; absent without one.",
    [],
);

/// Slices do not say what their pods did a minute ago.
pub static LAGGING: Code = Code::warning("endpoint_lag.lagging", &[Service::KIND])
    // Without a grace: the age of the change is it.
    .explain(
        "EndpointSlices have not followed a change of their pods for more than a minute: the \
         endpoint controller is stopped or overloaded.",
    )
    .felt_as(&[Symptom::Slices])
    .remedies(&[
        Remedy::inspect(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
        Remedy::inspect(
            "kubectl -n kube-system logs -l component=kube-controller-manager --tail=200",
        ),
        Remedy::inspect("kubectl -n kube-system get lease kube-controller-manager -o yaml"),
        LOOK_AGAIN,
        Remedy::verify(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
    ]);

/// A watch that went silent is opened anew after 35 s: until then it would look like this.
const TOO_LONG: Duration = Duration::from_secs(60);

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let lag = endpoints::lag(cluster);
    let (counts, sum) = lag.histogram();
    let followed = counts.iter().sum();
    let within = |seconds: f64| {
        let bounds = LAG_BOUNDS.iter().take_while(|bound| **bound <= seconds).count();
        counts[..bounds].iter().sum::<u64>()
    };
    let quick = share(within(1.0), followed);
    let statement = match followed {
        0 => "no change of a pod seen since the start".to_owned(),
        all => format!("{quick} of {} changes in slices within 1 s", count(all)),
    };
    out.statement(format!("{statement}, {} not yet", count(lag.open().count())));
    out.histogram(&SECONDS, [], counts, sum);
    if let Some(oldest) = lag.open().map(|it| it.since).min_by_key(|since| since.uptime) {
        out.sample(&OLDEST, [], oldest.unix.as_secs_f64());
    }
    for it in lag.open() {
        let age = cluster.now().since(it.since);
        if age > TOO_LONG.min(cluster.settings().longest_grace) {
            let message = format!(
                "its EndpointSlices do not say what {} of its pods did, {} for {} s: look at the \
                 log of kube-controller-manager",
                it.pods,
                it.first,
                age.as_secs()
            );
            out.finding(Finding::of::<Service>(&LAGGING, it.service.clone(), message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::cluster::{Cluster, Event};
    use crate::fixtures::{Answer, answer, at, cluster};
    use crate::model::{EndpointSlice, Key, Node, Pod, Service, Unknown};

    fn ask(facts: &Cluster) -> Answer {
        answer(&CHECK, facts)
    }

    fn ready() -> Cluster {
        let mut facts = cluster().service("shop/cart").pod("shop/cart-1");
        facts = facts.slice("shop/cart", &["cart-1"]);
        facts.tick(at(100));
        facts
    }

    fn gone(facts: Cluster) -> Cluster {
        facts.with(Event::<Pod>::Gone(Key::new("shop", "cart-1")))
    }

    #[test]
    fn nothing_lags_where_slices_say_what_pods_are() {
        let answer = ask(&ready());
        assert_eq!(answer.result, Ok(()));
        assert_eq!(answer.findings, [""; 0]);
        assert_eq!(answer.samples, [""; 0]);
    }

    #[test]
    fn a_dead_pod_that_a_slice_names_for_more_than_a_minute_is_found() {
        let mut facts = gone(ready());
        facts.tick(at(160));
        let early = ask(&facts);
        assert_eq!(early.findings, [""; 0]);
        let since = "netvitals_endpoint_oldest_mismatch_timestamp_seconds{} 1800000100";
        assert_eq!(early.samples, [since]);
        facts.tick(at(161));
        assert_eq!(
            ask(&facts).findings,
            [
                "endpoint_lag.lagging Service shop/cart: its EndpointSlices do not say what 1 of its \
              pods did, cart-1 for 61 s: look at the log of kube-controller-manager"
            ]
        );
        let healed = facts.slice("shop/cart", &[]);
        assert_eq!((ask(&healed).findings, ask(&healed).samples), (vec![], vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for (facts, kind) in [
            (ready().unlisted::<Pod>(), "Pod"),
            (ready().unlisted::<Service>(), "Service"),
            (ready().unlisted::<EndpointSlice>(), "EndpointSlice"),
            (ready().unlisted::<Node>(), "Node"),
        ] {
            assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
        }
    }
}
