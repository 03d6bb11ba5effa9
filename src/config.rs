//! The configuration file: YAML with the names of the flags, and no other key.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::{Error, Location, Spanned};

use crate::file;
use crate::log::{Form, Level};
use crate::model::Vantage;
use crate::setting::{Address, CheckId, Domain, Named, Period, Service, Url};
use crate::task::apart_blocking;

/// No configuration is longer.
const LONGEST: u64 = 1 << 20;

/// What a file says; one file may serve every role.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `--web.…`
    pub web: Web,
    /// `--log.…`
    pub log: Log,
    /// `--dns.…`
    pub dns: Dns,
    /// `--reach.…`
    pub reach: Reach,
    /// `--pull.…`
    pub pull: Pull,
    /// `--agents.…`
    pub agents: Agents,
    /// `--check.…`
    pub check: Checks,
    /// `--node-name`
    pub node_name: Option<String>,
    /// `--vantage`
    pub vantage: Option<Vantage>,
    /// `--cluster-url`
    pub cluster_url: Option<Vec<Url>>,
    /// `--cluster-service`
    pub cluster_service: Option<Service>,
    /// `--resolv-conf`
    pub resolv_conf: Option<PathBuf>,
    /// `--host-root`
    pub host_root: Option<PathBuf>,
    /// `--part.…`
    pub part: Part,
    /// `--kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `--namespace`
    pub namespace: Option<String>,
    /// `--agent`
    pub agent: Option<Vec<Url>>,
    /// `--dns-service`
    pub dns_service: Option<Named>,
    /// `--young-node`
    pub young_node: Option<Spanned<Period>>,
}

/// The server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// `--web.listen-address`
    pub listen_address: Option<Address>,
}

/// The log.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `--log.level`
    pub level: Option<Level>,
    /// `--log.format`
    pub format: Option<Form>,
}

/// An agent's DNS queries.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// `--dns.interval`
    pub interval: Option<Spanned<Period>>,
    /// `--dns.window`
    pub window: Option<Spanned<Period>>,
    /// `--dns.external`
    pub external: Option<Domain>,
}

/// An agent's attempts to reach.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// `--reach.interval`
    pub interval: Option<Spanned<Period>>,
    /// `--reach.window`
    pub window: Option<Spanned<Period>>,
}

/// The parts of an agent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    /// `--part.disable`
    pub disable: Option<Vec<String>>,
}

/// How often agents are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pull {
    /// `--pull.interval`
    pub interval: Option<Spanned<Period>>,
}

/// Which checks are asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// `--check.disable`
    pub disable: Option<Vec<CheckId>>,
}

/// What the agents' objects are called.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    /// `--agents.daemonset`
    pub daemonset: Option<String>,
    /// `--agents.host-daemonset`
    pub host_daemonset: Option<String>,
    /// `--agents.service`
    pub service: Option<String>,
    /// `--agents.headless-service`
    pub headless_service: Option<String>,
}

/// Reads the file at `path`.
///
/// # Errors
///
/// Fails with one line that names the file, the place in it, and what should be there.
pub fn read(path: &Path) -> Result<Config, String> {
    let name = path.display();
    let text = text(path).map_err(|error| {
        format!("cannot read {name}: {error}: name a readable file with --config.file")
    })?;
    parse(&text).map_err(|error| format!("{name}{error}"))
}

/// Returns the text of a file, if there is one within the time for a pipe.
fn text(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    let read = apart_blocking(file::DEADLINE * 2, move || file::read(&path, LONGEST));
    String::from_utf8(read.flatten()?).map_err(io::Error::other)
}

/// Reads the text of a file.
fn parse(text: &str) -> Result<Config, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        format!("{}{}", error.location().map_or_else(|| ": ".to_owned(), place), explain(error))
    })
}

/// Returns a place in a file as it follows the file's name.
pub fn place(location: Location) -> String {
    format!(":{}:{}: ", location.line(), location.column())
}

fn explain(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key {field:?}: known here are {}", expected.join(", "))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value {variant:?}: write one of {}", expected.join(", "))
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} is there twice: keep one")
        }
        Error::MultipleDocuments { .. } => "a second document begins here: keep one".to_owned(),
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "keys with their values are expected here: write key: value",
            "sequence start" => "a list is expected here: write each value on a line after -",
            _ => "one value is expected here: write no list and no keys",
        }
        .to_owned(),
        Error::Message { msg, .. } => msg.clone(),
        other => {
            let text = other.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            format!("{text}: write it as YAML")
        }
    }
}
