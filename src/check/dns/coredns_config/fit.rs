//! Why CoreDNS refuses a Corefile that has the form of one, as far as that is so in every version.

use std::collections::BTreeMap;

use crate::check::dns::corefile::Told;
use crate::corefile::{Block, Corefile, Place, Plugin, Shown};

/// Plugins that a server block may have once.
const ONCE: [&str; 3] = ["cache", "hosts", "kubernetes"];

/// Properties that are called as no plugin is: where one stands in its place, a brace is missing.
const PROPERTIES: [&str; 8] = [
    "endpoint_pod_names",
    "fallthrough",
    "force_tcp",
    "lameduck",
    "max_concurrent",
    "namespaces",
    "noendpoints",
    "pods",
];

/// Returns the line and why it is refused.
pub(super) fn unfit(told: &Told, all: &Corefile) -> Option<String> {
    let mut served: BTreeMap<(String, Option<u16>, bool), &Place> = BTreeMap::new();
    for block in &all.blocks {
        if let Some(why) = keys(told, block, &mut served) {
            return Some(why);
        }
        if let Some(why) = block.plugins.iter().find_map(misnamed) {
            return Some(why);
        }
        for name in ONCE {
            if let Some(again) = block.plugins(name).nth(1) {
                let place = &again.name.at;
                return Some(format!("{place}: a server block may have {name} once"));
            }
        }
    }
    None
}

fn keys<'a>(
    told: &Told,
    block: &'a Block,
    served: &mut BTreeMap<(String, Option<u16>, bool), &'a Place>,
) -> Option<String> {
    // Blocks on addresses of their own, or for some who ask, may share a zone.
    let may_be = |plugin: &Plugin| plugin.name.filled;
    let apart =
        block.unseen || block.has("bind") || block.has("view") || block.plugins.iter().any(may_be);
    for key in block.keys.iter().filter(|key| !key.filled) {
        let place = &key.at;
        let address = match told.address(key) {
            Ok(address) => address,
            Err(why) => return Some(format!("{place}: {}: {why}", Shown(&key.text))),
        };
        if apart || !(address.plain || address.port.is_some()) {
            continue;
        }
        let of = (address.zone, address.port, address.plain);
        if let Some(first) = served.insert(of, place) {
            let key = Shown(&key.text);
            return Some(format!("{place}: {key} is served already, by {first}"));
        }
    }
    None
}

/// Says what stands where a plugin has to, and is surely none.
fn misnamed(plugin: &Plugin) -> Option<String> {
    let name = &plugin.name;
    if name.filled {
        return None;
    }
    let place = &name.at;
    if PROPERTIES.contains(&&*name.text) {
        let name = &name.text;
        return Some(format!(
            "{place}: {name} is a property and no plugin, so that a brace is amiss"
        ));
    }
    let is_of_name = |char: char| char.is_alphanumeric() || char == '_' || char == '-';
    let is_name = !name.text.is_empty() && name.text.chars().all(is_of_name);
    (!is_name).then(|| {
        let name = Shown(&name.text);
        format!("{place}: {name} is no plugin: a zone may not stand within a server block")
    })
}
