use std::io::Write;

use clap::error::ErrorKind;

use super::agent::{api_server, service_urls};
use super::*;
use crate::agent::Options;
use crate::cluster::Settings;
use crate::model::Vantage;
use crate::role::{agent, cluster};

fn run(line: &[&str]) -> Result<Command, String> {
    let line = ["netvitals"].iter().chain(line);
    command(&CommandLine::command().try_get_matches_from(line).unwrap(), |_| None)
}

fn agent(line: &[&str]) -> Options {
    let line = [&["agent", "--node-name=n1"], line].concat();
    match run(&line).unwrap().run {
        Run::Agent(options) => options,
        other => panic!("{other:?}"),
    }
}

fn cluster(line: &[&str]) -> cluster::Options {
    match run(&[&["cluster"], line].concat()).unwrap().run {
        Run::Cluster(options, _) => options,
        other => panic!("{other:?}"),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_command_line_is_sound() {
    CommandLine::command().debug_assert();
}

#[test]
fn without_flags_the_defaults_are_those_of_the_manifests() {
    assert_eq!(cluster(&[]).settings, Settings::default());
    let options = agent(&[]);
    assert_eq!(&*options.agent.node, "n1");
    assert_eq!(options.cluster_urls, ["http://netvitals-cluster.netvitals.svc:12350"]);
    assert_eq!((options.dns_interval, options.dns_window), (10 * SECOND, 300 * SECOND));
    assert_eq!((options.reach_interval, options.reach_window), (5 * SECOND, 60 * SECOND));
}

#[test]
fn parts_are_switched_off_by_their_names() {
    assert_eq!(agent(&["--part.disable=dns,icmp"]).disabled, ["dns", "icmp"]);
    let known: Vec<&str> = agent::switches().iter().map(|switch| switch.name).collect();
    assert_eq!(known, ["dns", "tcp", "icmp", "cgroup"]);
    let all = known.join(",");
    assert_eq!(agent(&[&format!("--part.disable={all}")]).disabled, known);
    let error = run(&["agent", "--node-name=n1", "--part.disable=dsn"]).unwrap_err();
    assert_eq!(error, "part.disable has \"dsn\": write some of dns, tcp, icmp, cgroup");
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = file(
        "web: {listen_address: ':1'}\nvantage: host\ndns:\n  interval: 2s\n  window: 90s\n\
         reach: {interval: 1s}\ncluster_url: [http://a:1]\n",
    );
    let path = format!("--config.file={}", file.path().display());
    let line = ["agent", "--node-name=n1", &path, "--dns.interval=3s"];
    let command = run(&line).unwrap();
    assert_eq!(command.listen.to_string(), ":1");
    let Run::Agent(options) = command.run else { panic!("not an agent") };
    assert_eq!((options.dns_interval, options.dns_window), (3 * SECOND, 90 * SECOND));
    assert_eq!((options.reach_interval, options.reach_window), (SECOND, 60 * SECOND));
    assert_eq!(
        (options.agent.vantage, options.cluster_urls),
        (Vantage::Host, vec!["http://a:1".into()])
    );
}

#[test]
fn a_flag_that_repeats_the_default_wins_over_the_file_too() {
    let file = file("dns: {interval: 2s}\n");
    let path = format!("--config.file={}", file.path().display());
    assert_eq!(agent(&[&path, "--dns.interval=10s"]).dns_interval, 10 * SECOND);
}

#[test]
fn lists_take_a_flag_for_each_value() {
    let options = cluster(&["--agent", "http://a:1", "--agent=http://b:2/"]);
    assert_eq!(options.agents, ["http://a:1", "http://b:2"]);
    assert_eq!(options.settings.named_agents, 2);
}

#[test]
fn an_empty_daemonset_is_none() {
    let settings = cluster(&["--agents.host-daemonset="]).settings;
    assert_eq!((settings.agents.as_deref(), settings.host_agents), (Some("netvitals-agent"), None));
}

#[test]
fn the_cluster_role_is_found_by_address_and_then_by_name() {
    let urls = |service: &str, host: &'static str| {
        service_urls(&service.parse().unwrap(), "monitoring", move |name| match name {
            "NETVITALS_CLUSTER_SERVICE_HOST" => Some(host.to_owned()),
            "NETVITALS_CLUSTER_SERVICE_PORT" => Some("12350".to_owned()),
            "MY_RELEASE_0_SERVICE_HOST" => Some("10.96.0.8".to_owned()),
            "MY_RELEASE_0_SERVICE_PORT" => Some("80".to_owned()),
            _ => None,
        })
    };
    let default = "netvitals-cluster:12350";
    let name = "http://netvitals-cluster.monitoring.svc:12350";
    assert_eq!(urls(default, "10.96.0.7"), ["http://10.96.0.7:12350", name]);
    assert_eq!(urls(default, "fd00::7"), ["http://[fd00::7]:12350", name]);
    let name = "http://my-release-0.monitoring.svc:81";
    assert_eq!(urls("my-release-0:81", ""), ["http://10.96.0.8:80", name]);
    assert_eq!(urls("other:1", ""), ["http://other.monitoring.svc:1"]);
}

#[test]
fn the_cluster_roles_service_may_have_another_name() {
    let line = ["--cluster-service=vitals-cluster:80", "--namespace=monitoring"];
    assert_eq!(agent(&line).cluster_urls, ["http://vitals-cluster.monitoring.svc:80"]);
    let file = file("cluster_service: vitals:81\n");
    let path = format!("--config.file={}", file.path().display());
    assert_eq!(agent(&[&path]).cluster_urls, ["http://vitals.netvitals.svc:81"]);
    let line = ["--cluster-service=vitals:80", "--cluster-url=http://a:1"];
    assert_eq!(agent(&line).cluster_urls, ["http://a:1"], "a URL says more");
}

#[test]
fn the_api_server_is_known_within_kubernetes_only() {
    let api = |host: &'static str| {
        api_server(move |name| match name {
            "KUBERNETES_SERVICE_HOST" => Some(host.to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        })
    };
    assert_eq!(api("10.96.0.1"), Some(([10, 96, 0, 1], 443).into()));
    assert_eq!(api("fd00::1").map(|it| it.to_string()).as_deref(), Some("[fd00::1]:443"));
    assert_eq!(api("kubernetes"), None);
    assert_eq!(api_server(|_| None), None);
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    for (line, expected) in [
        (
            ["agent"].as_slice(),
            "the node has no name: give --node-name, in a pod from spec.nodeName by \
             NETVITALS_NODE_NAME",
        ),
        (
            &["agent", "--node-name=n", "--dns.interval=11s"],
            "dns.interval is 11s: write a time from 10ms to 10s",
        ),
        (
            &["agent", "--node-name=n", "--reach.window=9s"],
            "reach.window is 9s: write a time from 25s to 1h",
        ),
        (&["cluster", "--pull.interval=0s"], "pull.interval is 0s: write a time from 1s to 5m"),
        (
            &["cluster", "--config.file=/nowhere"],
            "cannot read /nowhere: No such file or directory (os error 2): name a readable file \
             with --config.file",
        ),
    ] {
        assert_eq!(run(line).unwrap_err(), expected);
    }
}

#[test]
fn what_is_unknown_is_refused() {
    for (line, kind) in [
        (["agent", "--node-nam=n"], ErrorKind::UnknownArgument),
        (["cluster", "--node-name=n"], ErrorKind::UnknownArgument),
        (["cluster", "--dns-service=kube-dns"], ErrorKind::ValueValidation),
        (["agent", "--cluster-service=netvitals"], ErrorKind::ValueValidation),
        (["agent", "--vantage=moon"], ErrorKind::InvalidValue),
        (["walk", "--help"], ErrorKind::InvalidSubcommand),
    ] {
        let line = ["netvitals"].iter().chain(&line);
        let error = CommandLine::command().try_get_matches_from(line).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn every_flag_has_its_environment_name_and_kubernetes_sets_none_of_them() {
    let mut seen = 0;
    for role in CommandLine::command().get_subcommands() {
        for flag in role.get_arguments() {
            let Some(long) =
                flag.get_long().filter(|long| !["config.check", "help"].contains(long))
            else {
                continue;
            };
            let name = format!("NETVITALS_{}", long.to_uppercase().replace(['-', '.'], "_"));
            assert_eq!(flag.get_env().and_then(|env| env.to_str()), Some(&*name), "{long}");
            // As for a Service `netvitals-agent`: NETVITALS_AGENT_PORT, …_SERVICE_HOST and so on.
            let of_kubernetes = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_TCP_ADDR"];
            assert!(!of_kubernetes.iter().any(|end| name.ends_with(end)), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_check_is_switched_off_by_its_name_and_no_other() {
    let file = file("check: {disable: [scraping]}\n");
    let path = format!("--config.file={}", file.path().display());
    let disabled = |line: &[&str]| cluster(line).settings.disabled.into_iter().collect::<Vec<_>>();
    assert_eq!(disabled(&[]), [""; 0]);
    assert_eq!(disabled(&[&path]), ["scraping"]);
    assert_eq!(disabled(&[&path, "--check.disable=ip_pools,agents"]), ["agents", "ip_pools"]);
    let line = ["netvitals", "cluster", "--check.disable=scrapping"];
    let error = CommandLine::command().try_get_matches_from(line).unwrap_err().to_string();
    assert!(error.contains("is no check: known are agents, scraping, "), "{error}");
}
