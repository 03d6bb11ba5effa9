//! `/etc/resolv.conf`: which servers workloads ask, and what their cluster is called.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use hickory_resolver::proto::rr::Name;

/// As many as resolvers take.
const NAMESERVERS: usize = 3;

/// What is used of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResolvConf {
    /// `nameserver`, in the order in which they are tried.
    pub nameservers: Vec<Nameserver>,
    /// What follows `svc.` in the `search` list; absent where the file is not one for pods.
    pub domain: Option<String>,
    /// The last nameserver that cannot be asked: it is no address, or its interface is not there.
    pub odd: Option<String>,
}

/// A server that the file names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nameserver {
    /// Its address.
    pub address: IpAddr,
    /// The number of the interface that leads to a link-local address of IPv6; else 0.
    pub scope: u32,
}

impl From<IpAddr> for Nameserver {
    fn from(address: IpAddr) -> Self {
        Self { address, scope: 0 }
    }
}

impl Nameserver {
    /// Reads an address, after `%` with its interface by name or number; `interface` knows the
    /// numbers of names.
    fn parse(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Option<Self> {
        let (address, zone) = text.split_once('%').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        let is_local = matches!(address, IpAddr::V6(it) if it.is_unicast_link_local());
        match (is_local, zone) {
            (false, "") => Some(address.into()),
            // The kernel cannot tell where it is, nor can a resolver.
            (true, "") => None,
            // Of no use to an address that is reached by routes, as resolvers have it.
            (false, _) => Some(address.into()),
            (true, zone) => {
                let scope = zone.parse().ok().or_else(|| interface(zone))?;
                Some(Self { address, scope }).filter(|it| it.scope > 0)
            }
        }
    }

    /// Returns where it is asked.
    pub fn at(self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, self.scope).into(),
            address => SocketAddr::new(address, port),
        }
    }
}

impl ResolvConf {
    /// Reads the file's text; lines that are none of the two kinds do not matter here.
    /// `interface` knows the numbers of interfaces by their names.
    ///
    /// # Errors
    ///
    /// Returns that it names no nameserver that can be asked.
    pub fn parse(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Result<Self, String> {
        let mut conf = Self::default();
        for line in text.lines() {
            let code = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = code.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(text)) => match Nameserver::parse(text, &interface) {
                    Some(server) if conf.nameservers.len() < NAMESERVERS => {
                        conf.nameservers.push(server);
                    }
                    Some(_) => {}
                    None => conf.odd = Some(text.to_owned()),
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
            (true, Some(odd)) => Err(format!(
                "the nameserver {odd:?} is not an address, or its interface is not there"
            )),
            (true, None) => Err("no nameserver is named".to_owned()),
        }
    }
}

/// Returns the cluster's domain, where `search` is the list of a pod.
///
/// A kubelet writes `<namespace>.svc.X svc.X X` first, and its node's list after that, which may
/// be another cluster's: the first one between its neighbours is the own. Without either
/// neighbour, an entry is some site's own. A namespace called `svc` looks like a domain too, but
/// for the first of the three.
fn domain(search: &[&str]) -> Option<String> {
    let entries: Vec<&str> = search.iter().map(|entry| entry.trim_end_matches('.')).collect();
    let neighbours = |at: usize, domain: &str| {
        let before = at.checked_sub(1).and_then(|before| entries[before].split_once('.'));
        let is_pods = before.is_some_and(|(_, rest)| rest.strip_prefix("svc.") == Some(domain));
        usize::from(is_pods) + usize::from(entries.get(at + 1) == Some(&domain))
    };
    let domains = entries.iter().enumerate().filter_map(|(at, entry)| {
        let domain = entry.strip_prefix("svc.").filter(|it| is_domain(it))?;
        Some((neighbours(at, domain), domain))
    });
    let own = domains
        .filter(|(count, _)| *count > 0)
        .reduce(|first, other| if other.0 > first.0 { other } else { first });
    own.map(|(_, domain)| domain.to_owned())
}

fn is_domain(text: &str) -> bool {
    // Longer ones leave no room for a Service's name before them.
    !text.is_empty() && Name::from_ascii(text).is_ok_and(|name| name.len() <= 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file on a machine with one interface.
    fn parse(text: &str) -> Result<ResolvConf, String> {
        ResolvConf::parse(text, |name| (name == "eth0").then_some(7))
    }

    #[test]
    fn the_file_of_a_pod_has_a_nameserver_and_a_domain() {
        let conf = parse(
            "nameserver 10.96.0.10\n\
             search web.svc.cluster.example svc.cluster.example cluster.example lan\n\
             options ndots:5\n",
        );
        let conf = conf.unwrap();
        assert_eq!(conf.nameservers, ["10.96.0.10".parse::<IpAddr>().unwrap().into()]);
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
            // Clusters within clusters: the kubelet's own come first.
            ("web.svc.in svc.in in vms.svc.out svc.out out", Some("in")),
            ("svc.svc.in svc.in in vms.svc.out svc.out out", Some("in")),
            ("web.svc.a svc.a a b.svc.b svc.b b c.svc.c svc.c c", Some("a")),
            ("web.svc.in.out svc.in.out in.out vms.svc.out svc.out out", Some("in.out")),
            ("out web.svc.in svc.in in svc.out", Some("in")),
        ] {
            let conf = parse(&format!("nameserver 10.0.0.1\nsearch {search}"));
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
            let conf = parse(text).unwrap();
            assert_eq!(
                (conf.nameservers.len(), conf.domain.as_deref()),
                (servers, domain),
                "{text}"
            );
        }
        let passed = parse("nameserver fe80::1%eth9\nnameserver 10.0.0.1").unwrap();
        assert_eq!((passed.nameservers.len(), passed.odd.as_deref()), (1, Some("fe80::1%eth9")));
        for (text, error) in [
            ("", "no nameserver is named"),
            ("nameserver", "no nameserver is named"),
            (
                "nameserver 10.0.0",
                "the nameserver \"10.0.0\" is not an address, or its interface is not there",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
    }

    #[test]
    fn a_link_local_server_is_asked_over_its_interface() {
        for (text, target) in [
            ("fe80::1%eth0", Some("[fe80::1%7]:53")),
            ("fe80::1%2", Some("[fe80::1%2]:53")),
            ("fd00::1%eth0", Some("[fd00::1]:53")),
            ("169.254.20.10%eth0", Some("169.254.20.10:53")),
            ("fe80::1%eth9", None),
            ("fe80::1%0", None),
            ("fe80::1%", None),
            ("fe80::1", None),
        ] {
            let conf = parse(&format!("nameserver {text}")).ok();
            let asked = conf.map(|conf| conf.nameservers[0].at(53).to_string());
            assert_eq!(asked.as_deref(), target, "{text}");
        }
    }
}
