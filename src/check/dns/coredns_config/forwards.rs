//! Where a server block hands names on: twice, to the cache that asks it, or to itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::around::Around;
use super::codes::{FORWARD_TWICE, LOOP, NODE_CACHE};
use crate::check::Code;
use crate::check::dns::corefile::{Chosen, Told};
use crate::corefile::{Address, Block, Corefile, Place, Plugin, Shown, Token, covers, zone};

/// The cache on each node.
const NODE_CACHE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// The port of a server that names none.
const PORT: u16 = 53;

/// A server block, and what is around it.
pub(super) struct Forwards<'a> {
    pub(super) told: &'a Told,
    pub(super) around: &'a Around<'a>,
    pub(super) all: &'a Corefile,
    pub(super) block: &'a Block,
}

/// A server that is asked, and for which names.
struct Server<'a> {
    from: &'a str,
    token: &'a Token,
    address: IpAddr,
    port: u16,
}

impl Forwards<'_> {
    /// Looks at all of them.
    pub(super) fn find(&self) -> Vec<(&'static Code, String)> {
        let mut found = Vec::new();
        let mut known: BTreeMap<String, &Place> = BTreeMap::new();
        for plugin in self.block.plugins("forward").chain(self.block.plugins("proxy")) {
            let Some((from, to)) = plugin.args.split_first() else { continue };
            if from.filled {
                continue;
            }
            let from = zone(&from.text);
            if let Some(first) = known.get(&from) {
                let (place, from) = (&plugin.name.at, Shown(&from));
                let message = format!(
                    "{place} forwards {from} once more, after {first}: look at which is meant"
                );
                found.push((&FORWARD_TWICE, message));
                continue;
            }
            for token in to.iter().filter(|it| !it.filled) {
                let Some((address, port)) = address(&token.text) else { continue };
                found.extend(self.server(&Server { from: &from, token, address, port }));
            }
            if !leaves_some(plugin) {
                known.insert(from, &plugin.name.at);
            }
        }
        found
    }

    fn server(&self, server: &Server<'_>) -> Option<(&'static Code, String)> {
        let Server { from, token: Token { text, at: place, .. }, address, port } = server;
        let (from, text) = (Shown(from), Shown(text));
        if *address == NODE_CACHE_IP && *port == PORT && !binds(self.block, *address) {
            let message = format!(
                "{place} forwards {from} to {text}, the cache on the node: look at which names that \
                 hands on to CoreDNS"
            );
            return Some((&NODE_CACHE, message));
        }
        self.leads_back(server).then(|| {
            let message = format!(
                "{place} forwards {from} to {text}, which is CoreDNS itself: look at which server \
                 is meant"
            );
            (&LOOP, message)
        })
    }

    /// Whether a query that is forwarded comes to the same block again.
    fn leads_back(&self, Server { from, address, port, .. }: &Server<'_>) -> bool {
        // By the Service a query comes to the port that it leads to.
        let by_service = self.around.service.contains(address) && *port == PORT;
        let is_bound = binds(self.block, *address);
        let at = if by_service && !is_bound { self.told.port() } else { Some(*port) };
        let is_all = !self.block.has("bind");
        let is_here = address.is_loopback()
            || address.is_unspecified()
            || by_service
            || self.around.pods.contains(address);
        let is_own = is_bound || (is_all && is_here);
        if !is_own || self.block.has("view") || at.is_none() {
            return false;
        }
        let is_at = |it: &Address| it.plain && it.port == at;
        let own = self.told.addresses(self.block).into_iter().filter(is_at);
        // Of the names that are forwarded, those of another block do not come back to this one.
        let mut both = own.filter_map(|own| {
            let own = own.zone;
            if covers(&own, from) {
                Some((*from).to_owned())
            } else {
                covers(from, &own).then_some(own)
            }
        });
        both.any(|name| {
            let Chosen { block, sure } = self.told.chosen_at(self.all, &name, at);
            let is_same = block.is_some_and(|it| std::ptr::eq(it, self.block));
            sure && is_same && !self.is_kept(&name)
        })
    }

    /// Whether the plugin kubernetes keeps a name to itself, so that it is never forwarded.
    fn is_kept(&self, name: &str) -> bool {
        self.block.plugins("kubernetes").any(|plugin| {
            let falls = plugin.properties("fallthrough").next().is_some();
            let zones = self.told.zones_of(self.block, plugin);
            !falls && zones.iter().any(|zone| covers(zone, name))
        })
    }
}

/// Whether a forward leaves some of its names to one behind it.
fn leaves_some(plugin: &Plugin) -> bool {
    ["except", "next"].iter().any(|name| plugin.properties(name).next().is_some())
}

/// Returns the address and the port of a server that is asked in plain DNS.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let text = match text.split_once("://") {
        None => text,
        Some(("dns", rest)) => rest,
        Some(_) => return None,
    };
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip(), address.port()));
    }
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    Some((bare.parse().ok()?, PORT))
}

/// Whether a block listens on an address that it names.
fn binds(block: &Block, address: IpAddr) -> bool {
    let mut named = block.plugins("bind").flat_map(|plugin| &plugin.args);
    named.any(|it| it.text.parse() == Ok(address))
}
