//! The Corefile of the pods that answer DNS: which ConfigMap it is in, what it says, and which of
//! its server blocks answers for a name.
//!
//! The pods say themselves which file they read, and what is mounted there; ConfigMaps are watched
//! by the names that distributions give them, so that one of another name cannot be read.

use super::pods::service;
use crate::cluster::Cluster;
use crate::corefile::{
    Address, Block, Corefile, Fault, Files, Matching, Plugin, Token, covers, read, zone,
};
use crate::model::{
    CONFIG_MAPS, ConfigMap, Fact, Key, Kind, Mounted, Name, Object, Pod, Protocol, Service,
    Skipped, TargetPort, Text, Unanswered, Unknown,
};

/// Where CoreDNS looks if it is told nothing, in every image that is mounted a Corefile.
const PATH: &str = "/etc/coredns/Corefile";

/// The ConfigMap of NodeLocal DNSCache.
const CACHES: &str = "node-local-dns";

const NO_PORT: Unknown = Unknown::NotFound("a port of UDP in a container of a DNS pod");

const ELSEWHERE: Unknown =
    Unknown::Unread("the Corefile of the DNS pods, which is in no ConfigMap of a known name,");

const LARGE: Unknown = Unknown::Unread("a Corefile of more than 64 KiB");

/// What the pods behind the DNS Service are told.
pub(super) struct Told {
    /// The ConfigMap that has the Corefile.
    pub(super) of: Object,
    /// What it says, or why CoreDNS refuses it.
    pub(super) corefile: Result<Corefile, Fault>,
    /// The port of keys that have none.
    default: Option<u16>,
    /// The port to which the Service leads, where that is known.
    port: Option<u16>,
}

/// Finds and reads the Corefile of the pods behind the DNS Service.
///
/// It asks for pods and ConfigMaps as they were last seen, and only while they can be believed: who
/// asks need not go without an answer where they cannot.
///
/// # Errors
///
/// Says why there is none: there are no such pods, they are no CoreDNS, or their ConfigMap cannot
/// be read.
pub(super) fn told(cluster: &Cluster) -> Result<Told, Unanswered> {
    let service = service(cluster)?;
    let namespace = &cluster.settings().dns_service.namespace;
    cluster.can_read(Pod::KIND)?;
    let Some(pods) = cluster.last_known::<Pod>() else { return Err(NO_PORT.into()) };
    let pods = pods.namespace(namespace)?;
    let behind = pods.filter(|(_, pod)| !pod.ended && !pod.terminating && service.selects(pod));
    let mut none = Unanswered::from(Skipped::NotApplicable);
    for (_, pod) in behind {
        match of_pod(cluster, namespace, service, pod) {
            Ok(told) => return Ok(told),
            // What is known of one pod says more than that another is no CoreDNS.
            Err(why) => none = none.min(why),
        }
    }
    Err(none)
}

/// Finds and reads what the caches on nodes are told, where there are any beside the DNS pods.
///
/// # Errors
///
/// Says why it cannot be read.
pub(super) fn told_caches(cluster: &Cluster) -> Result<Option<Told>, Unanswered> {
    let namespace = &cluster.settings().dns_service.namespace;
    cluster.can_read(Pod::KIND)?;
    let Some(pods) = cluster.last_known::<Pod>() else { return Ok(None) };
    let staying = pods.namespace(namespace)?.filter(|(_, pod)| !pod.ended && !pod.terminating);
    for mounted in staying.filter_map(|(_, pod)| pod.mounted.as_deref()) {
        let mount = mounted.mounts.iter().find(|mount| *mount.config_map == *CACHES);
        // The cache reads a copy, in which it has filled in addresses.
        let Some(path) = mount.and_then(|mount| mount.file("Corefile")) else { continue };
        return read_at(cluster, namespace, mounted, &path, None).map(Some);
    }
    Ok(None)
}

fn of_pod(
    cluster: &Cluster,
    namespace: &Name,
    service: &Service,
    pod: &Pod,
) -> Result<Told, Unanswered> {
    if pod.resources.is_none() {
        return Err(NO_PORT.into());
    }
    let mounted = pod.mounted.as_deref().ok_or(Skipped::NotApplicable)?;
    let path = mounted.conf.as_deref().unwrap_or(PATH);
    read_at(cluster, namespace, mounted, path, port(service, pod))
}

/// Reads the Corefile that is mounted at a path.
fn read_at(
    cluster: &Cluster,
    namespace: &Name,
    mounted: &Mounted,
    path: &str,
    port: Option<u16>,
) -> Result<Told, Unanswered> {
    let (mut holders, mut found) = (0, None);
    for mount in mounted.mounts.iter().filter(|mount| mount.holds(path)) {
        let Some(kind) = kind(&mount.config_map) else { continue };
        cluster.can_read(kind)?;
        holders += 1;
        let texts = texts(cluster, kind, namespace)?.unwrap_or_default();
        let is_it = |it: &&Text| mount.file(&it.key).as_deref() == Some(path);
        found = found.or_else(|| Some((mount, kind, texts.iter().find(is_it)?)));
    }
    let Some((mount, kind, text)) = found else {
        // One that names a file is CoreDNS; another may be a server that has none.
        return Err(match (&mounted.conf, holders) {
            (None, 0) => Skipped::NotApplicable.into(),
            _ => ELSEWHERE.into(),
        });
    };
    let text = text.text.as_deref().ok_or(LARGE)?;
    let corefile = read(text, path, &Imports { cluster, namespace, mounted });
    if corefile.as_ref().is_err_and(|fault| *fault == Fault::TooLarge) {
        return Err(LARGE.into());
    }
    let key = Key { namespace: namespace.clone(), name: mount.config_map.clone() };
    Ok(Told { of: Object { kind, key }, corefile, default: mounted.port, port })
}

/// Returns the kind of the ConfigMaps of a name, if they are watched.
fn kind(name: &Name) -> Option<&'static Kind> {
    CONFIG_MAPS.into_iter().find(|kind| kind.only == Some(&**name))
}

/// Returns the texts of the ConfigMap of a kind in a namespace; absent where there is none.
fn texts<'a>(
    cluster: &'a Cluster,
    kind: &Kind,
    namespace: &Name,
) -> Result<Option<&'a [Text]>, Unknown> {
    fn of<'a, const OF: usize>(
        cluster: &'a Cluster,
        namespace: &Name,
    ) -> Result<Option<&'a [Text]>, Unknown> {
        let Some(maps) = cluster.last_known::<ConfigMap<OF>>() else { return Ok(None) };
        let mut here = maps.namespace(namespace)?;
        let own = here.find(|(key, _)| ConfigMap::<OF>::KIND.only == Some(&*key.name));
        Ok(own.map(|(_, map)| &*map.texts))
    }
    let all = [of::<0>, of::<1>, of::<2>, of::<3>, of::<4>];
    let which = CONFIG_MAPS.into_iter().zip(all).find(|(known, _)| *known == kind);
    which.map_or(Ok(None), |(_, of)| of(cluster, namespace))
}

/// Returns the port to which the Service leads queries over UDP.
fn port(service: &Service, pod: &Pod) -> Option<u16> {
    let of_udp = service.ports.iter().find(|port| port.protocol == Protocol::Udp)?;
    match &of_udp.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => pod.ports.number(name, Protocol::Udp),
    }
}

/// The files that a pod finds in ConfigMaps.
struct Imports<'a> {
    cluster: &'a Cluster,
    namespace: &'a Name,
    mounted: &'a Mounted,
}

impl Files for Imports<'_> {
    fn matching(&self, path: &str) -> Matching {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if path.contains(['[', ']']) || folder.contains(['*', '?']) {
            return Matching::Unseen;
        }
        let (mut found, mut known) = (Vec::new(), false);
        for mount in &self.mounted.mounts {
            let holds = match &mount.sub_path {
                None => mount.holds(folder),
                Some(_) => fits(path, &mount.path),
            };
            if !holds {
                continue;
            }
            known |= mount.sub_path.is_none();
            let Some(kind) = kind(&mount.config_map) else { return Matching::Unseen };
            let texts = match texts(self.cluster, kind, self.namespace) {
                Ok(texts) if self.cluster.can_read(kind).is_ok() => texts.unwrap_or_default(),
                _ => return Matching::Unseen,
            };
            for Text { key, text } in texts {
                let Some(file) = mount.file(key).filter(|file| fits(path, file)) else { continue };
                let Some(text) = text else { return Matching::Unseen };
                found.push((file, text.to_string()));
            }
        }
        if found.is_empty() && !known {
            return Matching::Unseen;
        }
        found.sort();
        Matching::Texts(found)
    }
}

/// Whether a path has the form of a pattern, in whose last part one `*` or one `?` or both may be.
fn fits(pattern: &str, path: &str) -> bool {
    fn rest(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern.first(), path.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                rest(&pattern[1..], path)
                    || path.first().is_some_and(|it| *it != b'/') && rest(pattern, &path[1..])
            }
            (Some(b'?'), Some(it)) if *it != b'/' => rest(&pattern[1..], &path[1..]),
            (Some(one), Some(other)) if one == other => rest(&pattern[1..], &path[1..]),
            _ => false,
        }
    }
    // Deeper than any file system goes, and what recurses is bounded.
    path.len() < 4096 && rest(pattern.as_bytes(), path.as_bytes())
}

/// Which server block answers for a name.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    /// None where the name is refused.
    pub(super) block: Option<&'a Block>,
    /// Whether no other can, be it one that cannot be seen.
    pub(super) sure: bool,
}

impl Told {
    /// Reads a key of a block.
    ///
    /// # Errors
    ///
    /// Says why CoreDNS refuses it.
    pub(super) fn address(&self, key: &Token) -> Result<Address, &'static str> {
        Address::parse(&key.text, self.default)
    }

    /// Returns the keys of a block that can be read.
    pub(super) fn addresses(&self, block: &Block) -> Vec<Address> {
        let keys = block.keys.iter().filter(|key| !key.filled);
        keys.filter_map(|key| self.address(key).ok()).collect()
    }

    /// Whether a block is asked by those that ask the Service.
    pub(super) fn is_asked(&self, block: &Block) -> bool {
        self.addresses(block).iter().any(|address| self.is_at(address))
    }

    fn is_at(&self, address: &Address) -> bool {
        address.plain && self.port.is_none_or(|port| address.port == Some(port))
    }

    /// Returns the port to which the Service leads queries over UDP, where that is known.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the zones for which a block is asked.
    pub(super) fn zones(&self, block: &Block) -> Vec<String> {
        let all = self.addresses(block).into_iter().filter(|address| self.is_at(address));
        all.map(|address| address.zone).collect()
    }

    /// Returns the block that is asked for a name: the one of the longest zone.
    pub(super) fn chosen<'a>(&self, all: &'a Corefile, name: &str) -> Chosen<'a> {
        self.chosen_at(all, name, self.port)
    }

    /// As [`chosen`](Self::chosen), by those who ask at a port; without one, at any.
    pub(super) fn chosen_at<'a>(
        &self,
        all: &'a Corefile,
        name: &str,
        port: Option<u16>,
    ) -> Chosen<'a> {
        let is_plain = |block: &&Block| !block.has("view");
        let mut best: Option<(usize, &Block)> = None;
        for block in all.blocks.iter().filter(is_plain) {
            let addresses = self.addresses(block).into_iter();
            let at_port = addresses.filter(|it| it.plain && (port.is_none() || it.port == port));
            let zones = at_port.map(|it| it.zone).filter(|zone| covers(zone, name));
            let longest = zones.map(|zone| zone.trim_matches('.').len()).max();
            if let Some(length) = longest.filter(|it| best.is_none_or(|(best, _)| *it > best)) {
                best = Some((length, block));
            }
        }
        // One with a view answers for some who ask.
        let odd = |block: &Block| block.has("view") || block.keys.iter().any(|key| key.filled);
        let sure = !all.unseen && !all.blocks.iter().any(odd);
        Chosen { block: best.map(|(_, block)| block), sure }
    }

    /// Returns the zones of a plugin in a block: its own, or those of the block.
    pub(super) fn zones_of(&self, block: &Block, plugin: &Plugin) -> Vec<String> {
        if plugin.args.is_empty() {
            return self.zones(block);
        }
        let known = plugin.args.iter().filter(|zone| !zone.filled);
        known.map(|it| zone(&it.text)).collect()
    }

    /// Whether CoreDNS hides the names of a Service by design, as the namespaces that it is told and
    /// `ignore empty_service` have it; `is_empty` says whether nothing ready is behind the Service.
    pub(super) fn hides(&self, service: &Key, is_empty: bool) -> bool {
        let Ok(all) = &self.corefile else { return false };
        let blocks = all.blocks.iter().filter(|block| self.is_asked(block));
        let mut plugins = blocks.flat_map(|block| block.plugins("kubernetes")).peekable();
        // Where several answer for a zone, one that hides nothing may be asked.
        plugins.peek().is_some() && plugins.all(|plugin| hides(plugin, service, is_empty))
    }
}

fn hides(plugin: &Plugin, service: &Key, is_empty: bool) -> bool {
    let ignores = |words: &[Token]| words.iter().any(|it| &*it.text == "empty_service");
    let named: Vec<&Token> = plugin.properties("namespaces").flatten().collect();
    let is_named = named.iter().any(|it| it.filled || *it.text == *service.namespace);
    let elsewhere = !named.is_empty() && !is_named;
    elsewhere || (is_empty && plugin.properties("ignore").any(ignores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_its_wildcards_in_one_part() {
        for (pattern, path, is) in [
            ("/a/*.server", "/a/b.server", true),
            ("/a/*.server", "/a/.server", true),
            ("/a/*.server", "/a/b/c.server", false),
            ("/a/*", "/a/b", true),
            ("/a/?", "/a/b", true),
            ("/a/?", "/a/bc", false),
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/bc", false),
            ("/a/*b*c", "/a/bbbbc", true),
        ] {
            assert_eq!(fits(pattern, path), is, "{pattern} {path}");
        }
    }
}
