//! The program as a person meets it: help, mistakes, and what they are told.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn netvitals(args: &[&str]) -> Output {
    netvitals_with(args, &[])
}

#[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
fn netvitals_with(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
    command.env_clear().envs(environment.iter().copied()).args(args);
    command.output().expect("the program runs")
}

/// Returns the one line on standard error of a run that ended with `code`.
fn refused(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

fn said(output: &Output) -> String {
    assert!(output.status.success());
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn help_names_the_roles_their_flags_and_environment_names() {
    let help = said(&netvitals(&["--help"]));
    for role in ["agent", "cluster"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(role)), "{help}");
        let help = said(&netvitals(&[role, "--help"]));
        for word in ["--web.listen-address", "NETVITALS_WEB_LISTEN_ADDRESS", "[default: :12350]"] {
            assert!(help.contains(word), "{word} in {help}");
        }
    }
    let version = said(&netvitals(&["--version"]));
    assert_eq!(version, format!("netvitals {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_flag_subcommand_or_value_is_named() {
    for (args, named) in [
        (["cluster", "--pull-interval=1s"], "unexpected argument '--pull-interval' found"),
        (["clutser", "--help"], "unrecognized subcommand 'clutser'"),
        (["agent", "--vantage=moon"], "invalid value 'moon' for '--vantage <VANTAGE>'"),
        (["cluster", "--pull.interval=9"], "write 10s, 250ms, 5m or 1m30s"),
    ] {
        let output = netvitals(&args);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.lines().next().is_some_and(|line| line.contains(named)), "{text}");
        assert!(text.contains("try '--help'"), "{text}");
    }
}

#[test]
fn a_bad_environment_is_as_bad_as_a_bad_flag() {
    let environment = [("NETVITALS_LOG_FORMAT", "xml")];
    let output = netvitals_with(&["cluster", "--config.check"], &environment);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'--log.format <LOG_FORMAT>'"));
    let output = netvitals_with(&["cluster", "--config.check"], &[("RUST_LOG", "netvitals=loud")]);
    assert!(refused(&output, 2).ends_with("write it as netvitals=debug"));
}

#[test]
fn a_valid_configuration_is_said_to_be_so() {
    let output = netvitals(&["cluster", "--config.check"]);
    assert_eq!(said(&output), "the configuration is valid\n");
}

#[test]
fn a_port_in_use_names_the_remedy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    for role in [["cluster", "--namespace=a"], ["agent", "--node-name=a"]] {
        let output = netvitals(&[&role, ["--web.listen-address", &*address].as_slice()].concat());
        assert_eq!(
            refused(&output, 1),
            format!(
                "netvitals: cannot listen on {address}: Address already in use (os error 98): \
                 choose another address with --web.listen-address"
            )
        );
    }
}

#[test]
fn an_unreadable_kubeconfig_names_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let run = |path: &Path| {
        let path = path.to_str().expect("text");
        let args = ["cluster", "--web.listen-address=127.0.0.1:0", "--kubeconfig", path];
        refused(&netvitals(&args), 1)
    };
    let missing = run(&folder.path().join("missing"));
    assert!(missing.ends_with("name a readable kubeconfig with --kubeconfig"), "{missing}");
    let closed = file("closed", "");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("own file");
    for path in [closed, file("text", "hello"), file("empty", "")] {
        let said = run(&path);
        assert!(said.contains(path.to_str().expect("text")), "{said}");
    }
}

#[test]
fn a_cluster_without_any_api_server_says_what_to_give() {
    let output = netvitals(&["cluster", "--web.listen-address=127.0.0.1:0"]);
    assert!(refused(&output, 1).contains("--kubeconfig"));
}
