//! SIGHUP: what is followed, and what changes nothing.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use super::{Config, KUBECONFIG, start, start_as_told};

#[test]
fn with_sighup_a_valid_file_is_followed_and_a_bad_one_changes_nothing() {
    let config = Config::of("node_name: before\n");
    let agent = start(&["agent", "--cluster-url=http://127.0.0.1:1", &config.flag()]);
    assert!(agent.get("/").contains("agent of node before") && agent.follows(1));

    config.write("node_nam: after\n");
    agent.send(Signal::SIGHUP);
    agent.waits_until_it_follows(0);
    assert!(agent.get("/").contains("agent of node before"));

    config.write("node_name: after\n");
    agent.send(Signal::SIGHUP);
    agent.waits_until_it_says("agent of node after");
    assert!(agent.follows(1));
    let (code, log) = agent.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("unknown key \\\"node_nam\\\""), "{log}");
}

#[test]
fn with_sighup_an_address_that_is_taken_changes_nothing_and_a_wider_one_of_the_port_is_followed() {
    let text = |listen: &str, node: &str| {
        format!("web: {{listen_address: '{listen}'}}\nnode_name: {node}\n")
    };
    let config = Config::of(&text("127.0.0.1:0", "before"));
    let agent = start_as_told(&["agent", "--cluster-url=http://127.0.0.1:1", &config.flag()]);

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    config.write(&text(&taken.local_addr().expect("an address").to_string(), "nobody"));
    agent.send(Signal::SIGHUP);
    agent.waits_until_it_follows(0);
    assert!(agent.get("/").contains("agent of node before"));

    let port = agent.address.rsplit_once(':').expect("a port").1;
    config.write(&text(&format!(":{port}"), "after"));
    agent.send(Signal::SIGHUP);
    agent.waits_until_it_says("agent of node after");
    assert!(agent.follows(1));
    let (code, log) = agent.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("choose another address with --web.listen-address"), "{log}");
}

#[test]
fn with_sighup_a_kubeconfig_that_is_missing_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("kubeconfig"), KUBECONFIG).expect("a file");
    let text = |name| format!("kubeconfig: {}\n", folder.path().join(name).display());
    let config = Config::of(&text("kubeconfig"));
    let cluster = start(&["cluster", &config.flag()]);
    config.write(&text("missing"));
    cluster.send(Signal::SIGHUP);
    cluster.waits_until_it_follows(0);
    let (code, log) = cluster.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("name a readable kubeconfig"), "{log}");
}

#[test]
fn with_sighup_the_kubeconfig_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    let write = |text: &str| fs::write(&path, text).expect("a file");
    write(KUBECONFIG);
    let config = Config::of(&format!("kubeconfig: {}\n", path.display()));
    let cluster = start(&["cluster", &config.flag()]);
    let other = KUBECONFIG.replace(":1'", ":2'");
    for (text, valid) in [("clusters: [", 0), (KUBECONFIG, 1), ("{}", 0), (&other, 1)] {
        write(text);
        cluster.send(Signal::SIGHUP);
        cluster.waits_until_it_follows(valid);
    }
    let (code, log) = cluster.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("no usable kubeconfig"), "{log}");
    assert!(log.contains("access to the API server is renewed"), "{log}");
}
