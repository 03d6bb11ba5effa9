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
use crate::task::apart_within;

/// Between two readings: it hardly ever changes in a pod, and on a node it does.
const INTERVAL: Duration = Duration::from_secs(10);

/// For one reading: a pipe, or a file system that is gone, never ends.
const DEADLINE: Duration = Duration::from_secs(10);

/// As many as resolvers take.
const NAMESERVERS: usize = 3;

/// What is used of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResolvConf {
    /// `nameserver`, in the order in which they are tried.
    pub nameservers: Vec<IpAddr>,
    /// What follows `svc.` in the `search` list; absent where the file is not one for pods.
    pub domain: Option<String>,
    /// The last nameserver that is no address, or none without an interface.
    pub odd: Option<String>,
}

impl ResolvConf {
    /// Reads the file's text; lines that are none of the two kinds do not matter here.
    ///
    /// # Errors
    ///
    /// Returns that it names no nameserver that is an address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut conf = Self::default();
        for line in text.lines() {
            let code = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = code.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(address)) => match address.parse() {
                    Ok(address) if conf.nameservers.len() < NAMESERVERS => {
                        conf.nameservers.push(address);
                    }
                    Ok(_) => {}
                    Err(_) => conf.odd = Some(address.to_owned()),
                },
                // The last of these lines is the one that holds.
                (Some("search" | "domain"), first) => {
                    conf.domain = domain(&first.into_iter().chain(words).collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        match (conf.nameservers.is_empty(), &conf.odd) {
            (false, _) => Ok(conf),
            (true, Some(odd)) => Err(format!("the nameserver {odd:?} is not an address")),
            (true, None) => Err("no nameserver is named".to_owned()),
        }
    }
}

/// Returns the cluster's domain, where `search` is the list of a pod.
///
/// A kubelet writes `<namespace>.svc.X svc.X X`: without either neighbour, an entry is some
/// site's own. A namespace called `svc` looks like a domain too, but for the first of the three.
fn domain(search: &[&str]) -> Option<String> {
    let entries = || search.iter().map(|entry| entry.trim_end_matches('.'));
    let neighbours = |domain: &str| {
        let is_pods = |entry: &str| {
            let rest = entry.split_once('.').and_then(|(_, rest)| rest.strip_prefix("svc."));
            rest == Some(domain)
        };
        usize::from(entries().any(is_pods)) + usize::from(entries().any(|it| it == domain))
    };
    let domains = entries().filter_map(|entry| entry.strip_prefix("svc."));
    let domains = domains.filter(|it| neighbours(it) > 0 && is_domain(it));
    domains.max_by_key(|it| neighbours(it)).map(str::to_owned)
}

fn is_domain(text: &str) -> bool {
    // Longer ones leave no room for a Service's name before them.
    !text.is_empty() && Name::from_ascii(text).is_ok_and(|name| name.len() <= 128)
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
        let path = path.to_owned();
        let read = apart_within(DEADLINE, move || read(&path)).await.flatten();
        if let Some(new) = readings.read(Source::ResolvConf, read) {
            conf.send_if_modified(|old| {
                let modified = **old != new;
                if modified && let Some(odd) = &new.odd {
                    let remedy = "name it by an address that needs no interface";
                    tracing::warn!(nameserver = odd, remedy, "a nameserver is passed over");
                }
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
    fn the_domain_stands_between_its_neighbours() {
        for (search, domain) in [
            ("svc.svc.cluster.local svc.cluster.local cluster.local", Some("cluster.local")),
            ("web.svc.svc.corp svc.svc.corp svc.corp", Some("svc.corp")),
            ("lan web.svc.a. svc.a. a. corp", Some("a")),
            ("web.svc.a svc.a", Some("a")),
            ("svc.a a", Some("a")),
            ("svc.corp.example", None),
            ("svc.corp.example lan example", None),
            ("web.svc.a a", None),
        ] {
            let conf = ResolvConf::parse(&format!("nameserver 10.0.0.1\nsearch {search}"));
            assert_eq!(conf.unwrap().domain.as_deref(), domain, "{search}");
        }
    }

    #[test]
    fn odd_lines_are_borne_and_a_file_without_servers_is_not() {
        for (text, servers, domain) in [
            ("# nothing\n;\n\nnameserver fd00::a # here\nsearch svc.a. a", 1, Some("a")),
            ("nameserver 10.0.0.1\nsearch svc.a a\nsearch lan", 1, None),
            ("nameserver 10.0.0.1\nnameserver there\nsearch", 1, None),
            ("nameserver 10.0.0.1\nsearch svc. svc.a..b a..b", 1, None),
            ("nameserver ::1\nnameserver ::2\nnameserver ::3\nnameserver ::4", 3, None),
            ("nameserver\t10.0.0.1\r\ndomain svc.a", 1, None),
        ] {
            let conf = ResolvConf::parse(text).unwrap();
            assert_eq!(
                (conf.nameservers.len(), conf.domain.as_deref()),
                (servers, domain),
                "{text}"
            );
        }
        let passed = ResolvConf::parse("nameserver fe80::1%eth0\nnameserver 10.0.0.1").unwrap();
        assert_eq!((passed.nameservers.len(), passed.odd.as_deref()), (1, Some("fe80::1%eth0")));
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
