//! What is wrong with a Corefile, from its text and what is around it. What is missing is said only
//! where nothing that cannot be seen may have it.

use std::collections::BTreeSet;

use super::around::Around;
use super::codes::{
    CLUSTER_ZONE, EXTERNAL, KEPT_LONG, LACKS, NODE_CACHE, NOTES, REFUSED, RELOAD, UNCLAIMED,
};
use super::fit::unfit;
use super::forwards::Forwards;
use crate::check::Code;
use crate::check::dns::corefile::{Chosen, Told};
use crate::check::dns::queries::ENOUGH;
use crate::check::words::count;
use crate::corefile::{Block, Corefile, Plugin, Shown, Token, covers, zone};

/// Answers for the cluster's names that are kept longer are told.
const LONG: u64 = 300;

/// Plugins that answer for no name outside of the cluster; one that is not here may.
const INERT: [&str; 24] = [
    "acl",
    "any",
    "autopath",
    "bind",
    "bufsize",
    "cache",
    "cancel",
    "debug",
    "dns64",
    "errors",
    "health",
    "header",
    "kubernetes",
    "loadbalance",
    "log",
    "loop",
    "metadata",
    "minimal",
    "nsid",
    "pprof",
    "prometheus",
    "ready",
    "reload",
    "trace",
];

/// The plugins of CoreDNS, of old and of now; a build may have others.
const OFFICIAL: &str = " acl any auto autopath azure bind bufsize cache cancel chaos clouddns debug \
    dns64 dnssec dnstap erratic errors etcd federation file forward geoip grpc grpc_server header \
    health hosts https https3 k8s_external kubernetes loadbalance local log loop metadata minimal \
    multisocket nomad nsid on pprof prometheus proxy proxyproto quic ready reload reverse rewrite \
    root route53 secondary shed sign template timeouts tls trace transfer tsig view whoami ";

/// Plugins by which an answer may be another than the Service's, on purpose.
const ON_PURPOSE: [&str; 4] = ["autopath", "rewrite", "template", "hosts"];

/// Returns what is found, and whether something that cannot be seen may change that.
pub(super) fn judge(told: &Told, around: &Around<'_>) -> (Vec<(&'static Code, String)>, bool) {
    let mut judged = Judged { told, around, found: Vec::new(), unsure: false };
    match &told.corefile {
        Err(fault) => judged.refused(&fault.to_string()),
        Ok(all) => judged.all(all),
    }
    (judged.found, judged.unsure)
}

/// As [`judge`], for the caches on nodes: whether they begin, and whom they ask. The rest is what
/// the DNS pods are for.
pub(super) fn judge_caches(told: &Told, around: &Around<'_>) -> Vec<(&'static Code, String)> {
    let mut judged = Judged { told, around, found: Vec::new(), unsure: false };
    match &told.corefile {
        Err(fault) => judged.refused(&fault.to_string()),
        Ok(all) => match unfit(told, all) {
            Some(why) => judged.refused(&why),
            None => judged.forwards(all),
        },
    }
    // They are the cache.
    judged.found.retain(|(code, _)| code.id != NODE_CACHE.id);
    judged.found
}

struct Judged<'a> {
    told: &'a Told,
    around: &'a Around<'a>,
    found: Vec<(&'static Code, String)>,
    unsure: bool,
}

impl Judged<'_> {
    fn all(&mut self, all: &Corefile) {
        if let Some(why) = unfit(self.told, all) {
            self.refused(&why);
            return;
        }
        self.unsure |= all.unseen || all.blocks.iter().any(|block| block.unseen);
        let domain = self.cluster_zone(all);
        self.forwards(all);
        self.external(all);
        self.missing(all);
        if let Some(domain) = domain {
            self.kept(all, &domain);
        }
        self.notes(all);
    }

    /// Keeps the first of a code: what is wrong once more has mostly one reason.
    fn find(&mut self, code: &'static Code, message: impl Into<String>) {
        if self.found.iter().all(|(known, _)| known.id != code.id) {
            self.found.push((code, message.into()));
        }
    }

    fn refused(&mut self, why: &str) {
        self.find(&REFUSED, format!("{why}: look at that line, and at what CoreDNS says of it"));
    }

    /// Looks who answers for the cluster's names; returns the domain that they end with.
    fn cluster_zone(&mut self, all: &Corefile) -> Option<String> {
        let served: Vec<String> = self.kubernetes(all).collect();
        let known = self.around.domain.as_deref().map(zone);
        let forward = |it: &&String| !it.ends_with(".arpa.") && *it != "arpa.";
        let first = served.iter().find(forward);
        let Some(domain) = known.clone().or_else(|| first.cloned()) else {
            let filled = all.blocks.iter().flat_map(|block| block.plugins("kubernetes")).next();
            if !self.unsure && filled.is_none() {
                self.unclaimed("no server block has the plugin kubernetes");
            }
            return None;
        };
        let name = format!("kubernetes.default.svc.{domain}");
        let Chosen { block, sure } = self.told.chosen(all, &name);
        let has_filled = |plugin: &Plugin| plugin.args.iter().any(|it| it.filled);
        let answers = |block: &Block| {
            let mut plugins = block.plugins("kubernetes");
            plugins.any(|it| {
                has_filled(it) || self.told.zones_of(block, it).iter().any(|it| covers(it, &name))
            })
        };
        let shown = domain.trim_end_matches('.').to_owned();
        let why = match block {
            Some(block) if answers(block) => return Some(domain),
            _ if !sure => None,
            Some(block) if block.unseen => None,
            None => Some("no server block takes them".to_owned()),
            Some(block) => {
                let keys: Vec<String> =
                    block.keys.iter().map(|key| Shown(&key.text).to_string()).collect();
                let which = keys.into_iter().take(3).collect::<Vec<_>>().join(", ");
                Some(match first.filter(|first| !covers(first, &name)) {
                    Some(other) if block.has("kubernetes") => format!(
                        "the plugin kubernetes of the server block {which} answers for {} in their \
                         place",
                        Shown(other.trim_end_matches('.'))
                    ),
                    _ => format!(
                        "the server block {which} takes them, and has no plugin kubernetes for them"
                    ),
                })
            }
        };
        match why {
            Some(why) => self
                .unclaimed(&format!("names of the cluster end with {}, and {why}", Shown(&shown))),
            None => self.unsure = true,
        }
        None
    }

    fn unclaimed(&mut self, why: &str) {
        let asked = &self.around.asked;
        if asked.attempts >= ENOUGH && asked.failures == 0 {
            let message = format!(
                "{why}, and all {} queries for such names are answered: look at who answers them, \
                 and at whether CoreDNS has taken its Corefile up",
                count(asked.attempts)
            );
            self.find(&UNCLAIMED, message);
        } else {
            self.find(&CLUSTER_ZONE, format!("{why}: look at the zones of the Corefile"));
        }
    }

    /// Returns the zones of the plugin in all blocks that are asked.
    fn kubernetes(&self, all: &Corefile) -> impl Iterator<Item = String> {
        let blocks = all.blocks.iter().filter(|block| self.told.is_asked(block));
        blocks.flat_map(|block| {
            block.plugins("kubernetes").flat_map(|it| self.told.zones_of(block, it))
        })
    }

    fn forwards(&mut self, all: &Corefile) {
        let Self { told, around, .. } = *self;
        for block in &all.blocks {
            for (code, message) in (Forwards { told, around, all, block }).find() {
                self.find(code, message);
            }
        }
    }

    fn external(&mut self, all: &Corefile) {
        let Chosen { block, sure } = self.told.chosen(all, ".");
        let why = match block {
            _ if !sure => None,
            None => Some("no server block takes names outside of the cluster".to_owned()),
            Some(block) if block.unseen => None,
            Some(block) => {
                let is_inert = |plugin: &Plugin| INERT.contains(&&*plugin.name.text);
                block.plugins.iter().all(is_inert).then(|| {
                    "the server block for . has no forward, nor another plugin that answers".into()
                })
            }
        };
        if let Some(why) = why {
            let message = format!("{why}: look at whether pods are to reach names outside");
            self.find(&EXTERNAL, message);
        }
    }

    fn missing(&mut self, all: &Corefile) {
        if all.unseen || all.blocks.is_empty() || all.blocks.iter().any(|block| block.unseen) {
            return;
        }
        let lacks = |name: &str| !all.blocks.iter().any(|block| block.has(name));
        if lacks("reload") {
            let message = "it has no reload: look at whether the pods are older than what it says";
            self.find(&RELOAD, message);
        }
        let Chosen { block, sure } = self.told.chosen(all, ".");
        let uncached = sure && block.is_some_and(|it| it.has("forward") && !it.has("cache"));
        let named = [("cache", uncached), ("health", lacks("health")), ("ready", lacks("ready"))];
        let missing: Vec<&str> =
            named.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            self.find(&LACKS, format!("it has no {missing}: look at why it was left out"));
        }
    }

    /// Looks how long answers for the cluster's names are kept.
    fn kept(&mut self, all: &Corefile, domain: &str) {
        let Some(block) = self.told.chosen(all, domain).block else { return };
        let number = |words: &[Token], at: usize| -> Option<u64> {
            words.get(at).filter(|it| !it.filled)?.text.parse().ok()
        };
        let ttl = block.plugins("kubernetes").flat_map(|it| it.properties("ttl"));
        let mut longest = ttl.filter_map(|words| number(words, 0)).max();
        for cache in block.plugins("cache") {
            for which in ["success", "denial"] {
                // Of these zones, or of all.
                let is_ours = |it: &Token| it.filled || covers(&zone(&it.text), domain);
                let is_disabled = |words: &[Token]| match words {
                    [it] => &*it.text == which,
                    [it, zones @ ..] => &*it.text == which && zones.iter().any(is_ours),
                    [] => false,
                };
                if cache.properties("disable").any(is_disabled) {
                    continue;
                }
                let least = cache.properties(which).filter_map(|words| number(words, 2)).max();
                longest = longest.max(least);
            }
        }
        if let Some(seconds) = longest.filter(|it| *it > LONG) {
            let message = format!(
                "answers for names of the cluster are kept for {} s: look at ttl of kubernetes, and \
                 at the least times of cache",
                count(seconds)
            );
            self.find(&KEPT_LONG, message);
        }
    }

    fn notes(&mut self, all: &Corefile) {
        let has = |name: &str| all.blocks.iter().any(|block| block.has(name));
        let unseen = all.unseen || all.blocks.iter().any(|block| block.unseen);
        let mut notes: Vec<String> = Vec::new();
        let without = ["loop", "errors"].into_iter().filter(|name| !unseen && !has(name));
        notes.extend(without.map(|name| format!("no {name}")));
        notes.extend(ON_PURPOSE.into_iter().filter(|name| has(name)).map(str::to_owned));
        let names = all.blocks.iter().flat_map(|block| &block.plugins).map(|it| &it.name);
        let known = |name: &Token| OFFICIAL.contains(&format!(" {} ", name.text));
        let others: BTreeSet<&str> =
            names.filter(|name| !name.filled && !known(name)).map(|name| &*name.text).collect();
        let others = others.into_iter().take(5);
        notes.extend(others.map(|name| format!("{}, which CoreDNS itself has not", Shown(name))));
        if all.blocks.iter().flat_map(|block| block.plugins("log")).any(logs_all) {
            notes.push("a log of each query".to_owned());
        }
        let verified = |plugin: &Plugin| {
            plugin.properties("pods").any(|words| words.iter().any(|it| &*it.text == "verified"))
        };
        if all.blocks.iter().flat_map(|block| block.plugins("kubernetes")).any(verified) {
            notes.push("pods verified, which keeps all pods in memory".to_owned());
        }
        if !notes.is_empty() {
            let notes = notes.join(", ");
            self.find(&NOTES, format!("it has {notes}: look at it where an answer surprises"));
        }
    }
}

/// Whether it logs more than errors and denials.
fn logs_all(plugin: &Plugin) -> bool {
    let mut classes = plugin.properties("class").flatten().peekable();
    classes.peek().is_none() || classes.any(|it| matches!(&*it.text, "all" | "success"))
}
