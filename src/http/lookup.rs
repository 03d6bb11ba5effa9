//! Looking names up as the system does, by a resolver whose lookups can be given up.
//!
//! The system's own cannot be interrupted: a lookup that was given up holds its thread until it
//! has ended by itself, half a minute later.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, Resolver, TokioResolver};
use tokio::time::timeout;

use crate::file;
use crate::task::apart_within;

/// Longer files are not read.
const LONGEST: u64 = 1 << 20;

/// For one server: less than callers wait, so that the next one has its turn.
const ONE: Duration = Duration::from_millis(800);

/// How much later than those of one family addresses of the other may come: some servers never
/// answer for IPv6.
const LATER: Duration = Duration::from_millis(200);

/// Returns the addresses of `name`, which is `host:port`, the one to try first first.
///
/// The system's files are read anew each time, for they change.
///
/// # Errors
///
/// Returns that there is none within `deadline`, as [`io::ErrorKind::TimedOut`], or why there is
/// none at all.
pub async fn all(name: &str, deadline: Duration) -> io::Result<Vec<SocketAddr>> {
    System::default().all(name, deadline).await
}

/// Returns the first of the addresses.
///
/// # Errors
///
/// As [`all`].
pub async fn first(name: &str, deadline: Duration) -> io::Result<SocketAddr> {
    all(name, deadline).await.map(|addresses| addresses[0])
}

/// Where the system says how names are looked up.
struct System {
    conf: PathBuf,
    hosts: PathBuf,
    /// Of the servers.
    port: u16,
}

impl Default for System {
    fn default() -> Self {
        Self { conf: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into(), port: 53 }
    }
}

impl System {
    async fn all(&self, name: &str, deadline: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let parts = name.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or_else(|| io::Error::other("write it as host:port"))?;
        let found = timeout(deadline, self.find(host)).await;
        let mut found = found.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
        })?;
        found.sort_by_key(|address| !has_route(*address));
        let found: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
    }

    async fn find(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let name = Name::from_utf8(host).map_err(io::Error::other)?;
        let (conf, hosts) = (self.conf.clone(), self.hosts.clone());
        let read = apart_within(file::DEADLINE, move || Ok((text(&conf)?, text(&hosts)?)));
        let (conf, hosts): (Vec<u8>, Vec<u8>) = read.await.flatten()?;
        let written = in_file(&name, &hosts);
        if !written.is_empty() {
            return Ok(written);
        }
        let resolver = resolver(&conf, self.port)?;
        let v4 = pin!(resolver.ipv4_lookup(name.clone()));
        let v6 = pin!(resolver.ipv6_lookup(name));
        either(v4, v6).await.map_err(io::Error::other)
    }
}

/// Reads a file; one that is not there says nothing.
fn text(path: &Path) -> io::Result<Vec<u8>> {
    match file::read(path, LONGEST) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

/// Returns what `/etc/hosts` says of a name: where it says anything, no server is asked.
fn in_file(name: &Name, text: &[u8]) -> Vec<IpAddr> {
    let mut hosts = Hosts::default();
    // It ends at what is not text.
    _ = hosts.read_hosts_conf(text);
    let of = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [of(RecordType::A), of(RecordType::AAAA)];
    found.iter().flatten().flat_map(addresses).collect()
}

fn resolver(conf: &[u8], port: u16) -> io::Result<TokioResolver> {
    // As the system does without a file, or without a server in it.
    let none = |_: NetError| {
        let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![local]);
        (config, ResolverOpts::default())
    };
    let (mut config, options) = parse_resolv_conf(conf).unwrap_or_else(none);
    let connections = config.name_servers.iter_mut().flat_map(|server| &mut server.connections);
    connections.for_each(|connection| connection.port = port);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    let options = builder.options_mut();
    (options.timeout, options.attempts, options.cache_size) = (ONE, 1, 0);
    // It was looked at.
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().map_err(io::Error::other)
}

/// Returns the addresses of both families, without those of one that keeps the other waiting.
async fn either(
    mut v4: impl Future<Output = Result<Lookup, NetError>> + Unpin,
    mut v6: impl Future<Output = Result<Lookup, NetError>> + Unpin,
) -> Result<Vec<IpAddr>, NetError> {
    let found = |lookup: &Result<Lookup, NetError>| match lookup {
        Ok(lookup) => addresses(lookup).collect(),
        Err(_) => Vec::new(),
    };
    let (first, second) = tokio::select! {
        first = &mut v4 => match found(&first) {
            known if known.is_empty() => (first, Some(v6.await)),
            _ => (first, timeout(LATER, v6).await.ok()),
        },
        second = &mut v6 => match found(&second) {
            known if known.is_empty() => (v4.await, Some(second)),
            known => match timeout(LATER, v4).await {
                Ok(first) => (first, Some(second)),
                Err(_) => return Ok(known),
            },
        },
    };
    let mut all: Vec<IpAddr> = found(&first);
    all.extend(second.iter().flat_map(found));
    if all.is_empty() { first.map(|_| all) } else { Ok(all) }
}

fn addresses(lookup: &Lookup) -> impl Iterator<Item = IpAddr> {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

/// Tells whether this machine knows a way there; nothing is sent.
fn has_route(address: IpAddr) -> bool {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    UdpSocket::bind(any).and_then(|socket| socket.connect((address, 9))).is_ok()
}

#[cfg(test)]
mod tests;
