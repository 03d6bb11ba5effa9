//! A cluster of its own with five nodes: how many of them have no DNS decides whether somebody is woken.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::Value;

use crate::cluster::{Cluster, Options};
use crate::confine;
use crate::stage::Stage;
use crate::wait::secs;

const ALERT: &str = "NetvitalsDNSSuccessLow";

/// One node of five without DNS is a warning that names it; two are critical, and both are named.
pub(crate) fn show() -> ExitCode {
    let began = Instant::now();
    let options = Options { nodes: 5, ..Options::default() };
    let stage = Stage::new(Cluster::start(confine::lab(), &options));
    println!("cluster of five nodes ready in {:.1} s", began.elapsed().as_secs_f64());
    stage.quick();
    let monitor = stage.monitor();
    let critical = |alert: &Value| alert["labels"]["severity"] == "critical";
    let words = |alert: &Value| alert["annotations"].to_string();
    let first = stage.cluster.node("n4").drop_dns();
    let warning = monitor.fires(ALERT, secs(150), |alert| alert["labels"]["node"] == "n4");
    println!("    one node: {}", warning["annotations"]["summary"]);
    // What is critical would have fired by now: it reads the same series for as long.
    for _ in 0..6 {
        stage.cluster.rest(secs(5));
        let firing = monitor.firing().unwrap_or_else(|error| panic!("{error}"));
        // A machine that is busy may have slow answers besides.
        let pages = firing.iter().filter(|(name, alert)| name == ALERT && critical(alert));
        let pages: Vec<_> = pages.collect();
        assert!(pages.is_empty(), "one node of five pages: {pages:?}");
    }
    let second = stage.cluster.node("n5").drop_dns();
    let page = monitor.fires(ALERT, secs(150), |alert| {
        let words = words(alert);
        critical(alert) && words.contains("n4") && words.contains("n5")
    });
    println!("    two nodes: {}", page["annotations"]["summary"]);
    let named = words(&page);
    let others: Vec<&str> =
        ["n1", "n2", "n3"].into_iter().filter(|it| named.contains(it)).collect();
    assert!(others.is_empty(), "{others:?} have DNS: {named}");
    second.heal();
    first.heal();
    monitor.resolves(ALERT, secs(180));
    stage.healthy(secs(150));
    assert_eq!(stage.broken(), None);
    ExitCode::SUCCESS
}
