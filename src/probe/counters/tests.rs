use super::*;
use crate::model::Vantage;
use crate::page::{Format, write};
use crate::probe::tcp;

fn counters() -> Counters {
    Counters::new(Agent { node: "n1".into(), vantage: Vantage::Pod })
}

fn page(counters: &Counters) -> String {
    write(&[&counters.rows()], Format::Text).replace(r#"node="n1",vantage="pod","#, "")
}

fn has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|it| it == *line), "{line}\nis not in\n{page}");
    }
}

#[test]
fn planned_combinations_start_at_zero_and_others_do_not_exist() {
    let counters = counters();
    counters.planned(AttemptKind::Probe(&tcp::PROBE, Target::Api));
    counters.planned(AttemptKind::Dns(DnsPath::Service, DnsQuery::Cluster, Protocol::Tcp));
    let page = page(&counters);
    for failure in tcp::PROBE.failures {
        let labels = format!(r#"{{probe="tcp",target="api",reason="{}"}}"#, failure.as_str());
        assert!(page.contains(&format!("netvitals_probe_failures_total{labels} 0")), "{page}");
    }
    has(
        &page,
        &[
            r#"netvitals_probe_attempts_total{probe="tcp",target="api"} 0"#,
            r#"netvitals_dns_queries_total{path="service",query="cluster",protocol="tcp"} 0"#,
            r#"netvitals_dns_query_failures_total{path="service",query="cluster",protocol="tcp",reason="reset"} 0"#,
            r#"netvitals_dns_query_duration_seconds_bucket{path="service",query="cluster",le="0.25"} 0"#,
            r#"netvitals_probe_skipped_total{reason="denied"} 0"#,
            r#"netvitals_probe_supported{probe="icmp"} 0"#,
        ],
    );
    assert!(!page.contains("peer_pod") && !page.contains("replica"));
}

#[test]
fn what_fails_before_the_first_answer_is_no_part_of_the_headline() {
    let counters = counters();
    let headline = AttemptKind::Dns(DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp);
    for outcome in [Err(Failure::Timeout), Ok(Duration::ZERO), Err(Failure::Timeout)] {
        counters.planned(headline).count(outcome);
    }
    let has = |family: &str, labels: &str, count| {
        let labels = format!(r#"{{path="resolver",query="cluster",protocol="udp"{labels}}}"#);
        has(&page(&counters), &[&format!("netvitals_dns_{family}{labels} {count}")]);
    };
    has("queries_total", "", 2);
    has("query_failures_total", r#",reason="timeout""#, 1);
}

#[test]
fn an_attempt_is_counted_once_and_again_when_it_is_planned_anew() {
    let counters = counters();
    let api = || counters.planned(AttemptKind::Probe(&tcp::PROBE, Target::Api));
    api().count(Ok(Duration::from_millis(5)));
    api().count(Err(Failure::Refused));
    // A reason that this probe does not know.
    api().count(Err(Failure::Nxdomain));
    counters.skip(Skip::Local);
    has(
        &page(&counters),
        &[
            r#"netvitals_probe_attempts_total{probe="tcp",target="api"} 3"#,
            r#"netvitals_probe_failures_total{probe="tcp",target="api",reason="refused"} 1"#,
            r#"netvitals_probe_failures_total{probe="tcp",target="api",reason="other"} 1"#,
            r#"netvitals_probe_skipped_total{reason="local"} 1"#,
            r#"netvitals_probe_duration_seconds_bucket{probe="tcp",target="api",le="0.001"} 0"#,
            r#"netvitals_probe_duration_seconds_bucket{probe="tcp",target="api",le="0.005"} 1"#,
            r#"netvitals_probe_duration_seconds_count{probe="tcp",target="api"} 1"#,
        ],
    );
}

#[test]
fn both_protocols_of_a_question_share_their_times() {
    let counters = counters();
    let plan = |protocol| {
        counters.planned(AttemptKind::Dns(DnsPath::Resolver, DnsQuery::Cluster, protocol))
    };
    plan(Protocol::Udp).count(Ok(Duration::from_millis(300)));
    plan(Protocol::Tcp).count(Ok(Duration::from_millis(200)));
    let labels = r#"path="resolver",query="cluster""#;
    has(
        &page(&counters),
        &[
            &format!("netvitals_dns_query_duration_seconds_bucket{{{labels},le=\"0.25\"}} 1"),
            &format!("netvitals_dns_query_duration_seconds_count{{{labels}}} 2"),
            &format!("netvitals_dns_queries_total{{{labels},protocol=\"udp\"}} 1"),
        ],
    );
}
