//! The client of the API server: where it is, and how long anything may take.
//!
//! A kubeconfig and the certificates that it names are renewed like any other credentials: the
//! client follows them while it is in use. In a pod the library does so itself.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::Request;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tower::service_fn;

use super::error::chain;
use crate::task::apart_within;

/// How long a connection may take, its TLS handshake included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may be silent: longer than a quiet watch lasts.
const READ: Duration = Duration::from_secs(40);

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(60);

/// How long they may take to be read.
const READ_FILES: Duration = Duration::from_secs(10);

/// Connects to the API server of `kubeconfig`; without one to that of the variable
/// `KUBECONFIG`, of the pod it runs in, or of the user's own kubeconfig, in this order.
///
/// Nothing is sent yet: an API server that is away is no error.
///
/// # Errors
///
/// Returns in one line what is wrong with the configuration, and what to do about it.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, String> {
    Ok(Access::read(kubeconfig).await?.client())
}

/// The access to an API server, as its files have it now. Clones are the same one.
#[derive(Clone)]
pub struct Access {
    place: Origin,
    current: Arc<ArcSwap<Current>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("place", &self.place).finish_non_exhaustive()
    }
}

struct Current {
    client: Client,
    /// Of the files that the client was made from.
    print: u64,
    looked: Instant,
}

impl Access {
    /// Reads how to connect.
    ///
    /// # Errors
    ///
    /// As [`connect`].
    pub async fn read(kubeconfig: Option<&Path>) -> Result<Self, String> {
        let place = Origin::find(kubeconfig);
        let (client, print) = place.connect().await?;
        let current = Current { client, print, looked: Instant::now() };
        Ok(Self { place, current: Arc::new(ArcSwap::from_pointee(current)) })
    }

    /// Returns a client that goes on with what the files have then.
    pub fn client(&self) -> Client {
        let access = self.clone();
        let send = move |request: Request<Body>| {
            let access = access.clone();
            async move {
                let looked = access.current.load().looked;
                // In a pod, the library follows the files itself.
                if !matches!(access.place, Origin::Pod)
                    && looked.elapsed() >= LOOK
                    && let Err(error) = access.renew().await
                {
                    tracing::warn!(error, "the access to the API server is not renewed");
                }
                let client = access.current.load().client.clone();
                client.send(request).await
            }
        };
        // The namespace is for requests that name none: there is none of these.
        Client::new(service_fn(send), "default")
    }

    /// Reads the files again; the client goes on with what they have now.
    ///
    /// # Errors
    ///
    /// As [`connect`]; the client then goes on with what they had before.
    pub async fn renew(&self) -> Result<(), String> {
        let old = self.current.load_full();
        let looked = Instant::now();
        // Whatever comes of it, others need not look for a while.
        let kept = Current { client: old.client.clone(), print: old.print, looked };
        self.current.store(Arc::new(kept));
        let (client, print) = self.place.connect().await?;
        if print != old.print {
            tracing::info!("the access to the API server is renewed");
            self.current.store(Arc::new(Current { client, print, looked }));
        }
        Ok(())
    }
}

/// Where the access to the API server is described.
#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    /// The files of `KUBECONFIG`.
    Variable,
    Pod,
    User,
}

impl Origin {
    fn find(kubeconfig: Option<&Path>) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match kubeconfig {
            Some(path) => Self::File(path.to_owned()),
            None if is_set("KUBECONFIG") => Self::Variable,
            None if env::var_os("KUBERNETES_SERVICE_HOST").is_some() => Self::Pod,
            None => Self::User,
        }
    }

    /// Reads apart: the files may be pipes, and signals have to be heard meanwhile.
    async fn connect(&self) -> Result<(Client, u64), String> {
        let (place, runtime) = (self.clone(), Handle::current());
        let connect = move || {
            runtime.block_on(async {
                let (config, print) = place.config().await?;
                Ok((make(config)?, print))
            })
        };
        apart_within(READ_FILES, connect).await.unwrap_or_else(|error| {
            Err(format!(
                "cannot read what leads to the API server: {error}: name files with --kubeconfig"
            ))
        })
    }

    async fn config(&self) -> Result<(Config, u64), String> {
        if matches!(self, Self::Pod) {
            let config = Config::incluster().map_err(|error| {
                let why = chain(&error);
                format!("no access from within the pod ({why}): mount its service account's token")
            })?;
            return Ok((config, 0));
        }
        let kubeconfig = self.kubeconfig().map_err(|error| self.wrong(&error))?;
        let print = print(&kubeconfig);
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Ok((config.map_err(|error| self.wrong(&error))?, print))
    }

    fn kubeconfig(&self) -> Result<Kubeconfig, KubeconfigError> {
        match self {
            Self::File(path) => Kubeconfig::read_from(path),
            _ => Kubeconfig::read(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Variable => "the kubeconfig of KUBECONFIG".to_owned(),
            Self::Pod | Self::User => "the user's kubeconfig".to_owned(),
        }
    }

    fn wrong(&self, error: &KubeconfigError) -> String {
        let why = wrong(&self.name(), error);
        match self {
            Self::User => {
                format!("no API server is known: give --kubeconfig, or run in a pod ({why})")
            }
            _ => why,
        }
    }
}

fn make(mut config: Config) -> Result<Client, String> {
    if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
        let server = &config.cluster_url;
        return Err(format!("the server {server} has no scheme: write https://{server}"));
    }
    // As of a file that is being written: with it, no server would be trusted.
    if config.root_cert.as_ref().is_some_and(Vec::is_empty) {
        return Err("the certificate authority is empty: correct certificate-authority".to_owned());
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

/// Returns a number that changes with a kubeconfig, and with the files that it names.
///
/// Files with tokens are not among them: the library reads those again by itself.
fn print(kubeconfig: &Kubeconfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(kubeconfig).unwrap_or_default().hash(&mut hasher);
    let clusters = kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref());
    let roots = clusters.filter_map(|cluster| cluster.certificate_authority.as_ref());
    let users = kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
    let own = users.flat_map(|user| [&user.client_certificate, &user.client_key]).flatten();
    for path in roots.chain(own) {
        fs::read(path).ok().hash(&mut hasher);
    }
    hasher.finish()
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

    /// What the client of `access` gets for its next request.
    async fn ask(client: &Client) -> Result<u16, String> {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let sent = client.send(request).await;
        sent.map(|answer| answer.status().as_u16()).map_err(|error| chain(&error))
    }

    #[tokio::test]
    async fn files_that_are_renewed_are_followed_and_broken_ones_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, roots) = (folder.path().join("config"), folder.path().join("ca.crt"));
        let write = |server: &str| {
            let text =
                with_server(&format!("server: 'http://{server}', certificate-authority: ca.crt"));
            fs::write(&path, text).unwrap();
        };
        let root = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            fs::write(&roots, certificate.self_signed(&key).unwrap().pem()).unwrap();
        };
        root("one");
        write("127.0.0.1:9");
        let access = Access::read(Some(&path)).await.unwrap();
        let client = access.client();
        let print = || access.current.load().print;
        let first = print();
        access.renew().await.unwrap();
        assert_eq!(print(), first, "nothing is new");
        root("two");
        access.renew().await.unwrap();
        let second = print();
        assert_ne!(second, first, "the authority is another");

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
        assert!(ask(&client).await.is_err());
        write(&address);
        access.renew().await.unwrap();
        assert_eq!(ask(&client).await, Ok(404), "the same client, the new server");

        fs::write(&path, "clusters: [").unwrap();
        let error = access.renew().await.unwrap_err();
        assert!(error.contains("try kubectl with it"), "{error}");
        assert_eq!(ask(&client).await, Ok(404));
        write(&address);
        fs::write(&roots, "no certificate").unwrap();
        access.renew().await.unwrap_err();
        assert_eq!(ask(&client).await, Ok(404));
    }

    #[tokio::test]
    async fn a_client_looks_at_its_files_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, with_server("server: 'http://127.0.0.1:9'")).unwrap();
        let access = Access::read(Some(&path)).await.unwrap();
        let (client, print) = (access.client(), access.current.load().print);
        fs::write(&path, with_server("server: 'http://127.0.0.1:10'")).unwrap();
        let _ = ask(&client).await;
        assert_eq!(access.current.load().print, print, "not at every request");
        tokio::time::pause();
        tokio::time::advance(LOOK).await;
        tokio::time::resume();
        let _ = ask(&client).await;
        assert_ne!(access.current.load().print, print);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_no_error_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, with_server("server: 'http://127.0.0.1:9'")).unwrap();
        assert!(connect(Some(&path)).await.is_ok());
    }
}
