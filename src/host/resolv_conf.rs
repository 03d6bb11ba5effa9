//! `/etc/resolv.conf`: whom workloads ask, and what their cluster is called.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::Name;
use tokio::sync::watch::Sender;
use tokio::time::sleep;

use super::readings::{Readings, Source};

/// Between two readings: it hardly ever changes in a pod, and on a node it does.
const INTERVAL: Duration = Duration::from_secs(10);

/// As many as resolvers take.
const NAMESERVERS: usize = 3;

/// What is used of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResolvConf {
    /// `nameserver`, in the order in which they are tried.
    pub nameservers: Vec<IpAddr>,
    /// The rest of the `search` entry that begins with `svc.`; absent where the file is not one
    /// for pods.
    pub domain: Option<String>,
}

impl ResolvConf {
    /// Reads the file's text; lines that are none of the two kinds do not matter here.
    ///
    /// # Errors
    ///
    /// Returns that it names no nameserver that is an address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut conf = Self::default();
        let mut odd = None;
        for line in text.lines() {
            let code = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = code.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(address)) => match address.parse() {
                    Ok(address) if conf.nameservers.len() < NAMESERVERS => {
                        conf.nameservers.push(address);
                    }
                    Ok(_) => {}
                    Err(_) => odd = Some(address),
                },
                // The last of these lines is the one that holds.
                (Some("search" | "domain"), first) => {
                    conf.domain = first.into_iter().chain(words).find_map(domain);
                }
                _ => {}
            }
        }
        match (conf.nameservers.is_empty(), odd) {
            (false, _) => Ok(conf),
            (true, Some(odd)) => Err(format!("the nameserver {odd:?} is not an address")),
            (true, None) => Err("no nameserver is named".to_owned()),
        }
    }
}

/// Returns the cluster's domain, where `entry` is that of its Services.
fn domain(entry: &str) -> Option<String> {
    let domain = entry.strip_prefix("svc.")?.trim_end_matches('.');
    let name = Name::from_ascii(domain).ok()?;
    // Longer ones leave no room for a Service's name before them.
    (!domain.is_empty() && name.len() <= 128).then(|| domain.to_owned())
}

/// Reads the file again and again, and publishes what has changed; a bad one changes nothing.
pub async fn follow(
    path: &Path,
    conf: &Sender<Arc<ResolvConf>>,
    readings: &Readings,
    mut alive: impl FnMut(),
) {
    loop {
        alive();
        if let Some(new) = readings.read(Source::ResolvConf, read(path)) {
            conf.send_if_modified(|old| {
                let modified = **old != new;
                *old = Arc::new(new);
                modified
            });
        }
        sleep(INTERVAL).await;
    }
}

/// Reads the file once.
fn read(path: &Path) -> io::Result<ResolvConf> {
    let named =
        |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let text = super::short(path).map_err(|error| named(&error))?;
    ResolvConf::parse(&text).map_err(|error| named(&error))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::model::Agent;

    #[test]
    fn the_file_of_a_pod_has_a_nameserver_and_a_domain() {
        let conf = ResolvConf::parse(
            "nameserver 10.96.0.10\n\
             search web.svc.cluster.example svc.cluster.example cluster.example lan\n\
             options ndots:5\n",
        );
        let conf = conf.unwrap();
        assert_eq!(conf.nameservers, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
        assert_eq!(conf.domain.as_deref(), Some("cluster.example"));
    }

    #[test]
    fn odd_lines_are_borne_and_a_file_without_servers_is_not() {
        for (text, servers, domain) in [
            ("# nothing\n;\n\nnameserver fd00::a # here\nsearch svc.a. b", 1, Some("a")),
            ("nameserver 10.0.0.1\nsearch svc.a\nsearch lan", 1, None),
            ("nameserver 10.0.0.1\nnameserver there\nsearch", 1, None),
            ("nameserver 10.0.0.1\nsearch svc. svc.a..b", 1, None),
            ("nameserver ::1\nnameserver ::2\nnameserver ::3\nnameserver ::4", 3, None),
            ("nameserver\t10.0.0.1\r\ndomain svc.a", 1, Some("a")),
        ] {
            let conf = ResolvConf::parse(text).unwrap();
            assert_eq!(
                (conf.nameservers.len(), conf.domain.as_deref()),
                (servers, domain),
                "{text}"
            );
        }
        for (text, error) in [
            ("", "no nameserver is named"),
            ("nameserver", "no nameserver is named"),
            ("nameserver 10.0.0", "the nameserver \"10.0.0\" is not an address"),
        ] {
            assert_eq!(ResolvConf::parse(text).unwrap_err(), error);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_is_read_again_and_one_that_goes_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        std::fs::write(&path, "nameserver 10.0.0.1").unwrap();
        let (conf, mut seen) = watch::channel(Arc::default());
        let readings =
            Arc::new(Readings::new(Agent { node: "n".into(), vantage: Default::default() }));
        let following = {
            let (path, readings) = (path.clone(), readings.clone());
            tokio::spawn(async move { follow(&path, &conf, &readings, || {}).await })
        };
        let mut next = async || {
            seen.changed().await.unwrap();
            seen.borrow_and_update().nameservers[0].to_string()
        };
        assert_eq!(next().await, "10.0.0.1");
        std::fs::remove_file(&path).unwrap();
        sleep(INTERVAL * 2).await;
        std::fs::write(&path, "nameserver 10.0.0.2").unwrap();
        assert_eq!(next().await, "10.0.0.2", "and nothing in between");
        following.abort();
        let gone = read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(gone.ends_with("none: No such file or directory (os error 2)"), "{gone}");
    }
}
