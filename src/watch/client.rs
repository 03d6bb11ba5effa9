//! The client of the API server: where it is, and how long anything may take.

use std::env;
use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::trouble::chain;

/// How long a connection may take, its TLS handshake included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may be silent: longer than a quiet watch lasts.
const READ: Duration = Duration::from_secs(40);

/// Connects to the API server of `kubeconfig`; without one to that of the variable
/// `KUBECONFIG`, of the pod it runs in, or of the user's own kubeconfig, in this order.
///
/// Nothing is sent yet: an API server that is away is no error.
///
/// # Errors
///
/// Returns in one line what is wrong with the configuration, and what to do about it.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, String> {
    let mut config = config(kubeconfig).await?;
    if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
        let server = &config.cluster_url;
        return Err(format!("the server {server} has no scheme: write https://{server}"));
    }
    // Silence must be seen, and a storm of 429 too: the library's own retries hide both.
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| {
        let why = chain(&error);
        format!("no client for the API server ({why}): check the user and the certificates in use")
    })
}

async fn config(kubeconfig: Option<&Path>) -> Result<Config, String> {
    let options = KubeConfigOptions::default();
    if let Some(path) = kubeconfig {
        let read =
            async { Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await };
        return read.await.map_err(|error| wrong(&path.display().to_string(), &error));
    }
    if env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty()) {
        let read = Config::from_kubeconfig(&options).await;
        return read.map_err(|error| wrong("the kubeconfig of KUBECONFIG", &error));
    }
    if env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Config::incluster().map_err(|error| {
            let why = chain(&error);
            format!("no access from within the pod ({why}): mount its service account's token")
        });
    }
    Config::from_kubeconfig(&options).await.map_err(|error| {
        let why = wrong("the user's kubeconfig", &error);
        format!("no API server is known: give --kubeconfig, or run in a pod ({why})")
    })
}

/// Says what is wrong with a kubeconfig.
fn wrong(file: &str, error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => {
            format!("cannot read {file} ({error}): name a readable kubeconfig with --kubeconfig")
        }
        KubeconfigError::CurrentContextNotSet => {
            format!("{file} has no current-context: run kubectl config use-context")
        }
        KubeconfigError::LoadContext(name) => {
            format!("{file} has no context {name}: run kubectl config use-context")
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("{file} has no cluster {name}: run kubectl config set-cluster {name}")
        }
        KubeconfigError::MissingClusterUrl => {
            format!("{file} names no server: run kubectl config set-cluster with --server")
        }
        KubeconfigError::ParseClusterUrl(error) => {
            format!("{file} has a wrong server address ({error}): write https://host:port")
        }
        error => {
            let why = chain(error);
            format!("{file} is no usable kubeconfig ({why}): try kubectl with it")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, text).unwrap();
        let error = connect(Some(&path)).await.err().expect("an error");
        assert!(!error.contains('\n') && error.len() < 500, "{error}");
        error.replace(&path.display().to_string(), "FILE")
    }

    fn with_server(server: &str) -> String {
        format!(
            "{{ current-context: a, contexts: [{{ name: a, context: {{ cluster: b }} }}],
                clusters: [{{ name: b, cluster: {{ {server} }} }}] }}"
        )
    }

    #[tokio::test]
    async fn a_wrong_kubeconfig_says_what_to_do() {
        for (text, expected) in [
            ("{}", "FILE has no current-context: run kubectl config use-context"),
            ("current-context: prod", "FILE has no context prod: run kubectl config use-context"),
            (
                "{ current-context: a, contexts: [{ name: a, context: { cluster: b } }] }",
                "FILE has no cluster b: run kubectl config set-cluster b",
            ),
            (
                &with_server(""),
                "FILE names no server: run kubectl config set-cluster with --server",
            ),
            (
                &with_server("server: 'https://'"),
                "FILE has a wrong server address (empty string): write https://host:port",
            ),
            (
                &with_server("server: 127.0.0.1:6443"),
                "the server 127.0.0.1:6443 has no scheme: write https://127.0.0.1:6443",
            ),
        ] {
            assert_eq!(refused(text).await, expected, "{text}");
        }
        let garbage = refused("clusters: [\n  - 7").await;
        assert!(garbage.starts_with("FILE is no usable kubeconfig ("), "{garbage}");
    }

    #[tokio::test]
    async fn an_unreadable_kubeconfig_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = connect(Some(&folder.path().join("none"))).await.err().expect("an error");
        assert!(error.contains("none (No such file or directory"), "{error}");
        assert!(error.ends_with("name a readable kubeconfig with --kubeconfig"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_no_error_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, with_server("server: 'http://127.0.0.1:9'")).unwrap();
        assert!(connect(Some(&path)).await.is_ok());
    }
}
