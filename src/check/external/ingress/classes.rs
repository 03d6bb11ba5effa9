//! Who serves an Ingress, as far as classes and addresses tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{CLASS_MISSING, NEVER_WORKED, NO_ADDRESS, NO_CLASS, RETIRED};
use crate::check::age::{age, is_old};
use crate::check::words::{count, long};
use crate::check::{Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{ClassName, Fact, Ingress, IngressClass, Key, Name, Unanswered, Unknown};

/// A load balancer of an Ingress takes some minutes to be made.
const LONG: Duration = Duration::from_secs(600);

/// What `spec.controller` of every ingress-nginx begins with, and has in it; a second one in the
/// cluster has a longer name.
const NGINX: (&str, &str) = ("k8s.io/", "ingress-nginx");

/// How an Ingress stands with those who might serve it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stand {
    /// It has an address.
    Served,
    /// It has none yet.
    Young,
    /// It has none, and others of its class have.
    Waits,
    /// It has none, and nor has any of its class.
    NeverWorked,
    /// It names no class, where Ingresses go by classes and each of those has addresses.
    NoClass,
    /// It names a class that is not there.
    Missing,
}

/// The classes that there are, and those that are served.
pub(super) struct Classes<'a> {
    cluster: &'a Cluster,
    table: &'a Table<IngressClass>,
    /// One of them cannot be read, and may be the one that an Ingress names.
    is_partial: bool,
    /// Those of which an Ingress has an address; none stands for Ingresses without a class.
    served: BTreeSet<Option<&'a Name>>,
    /// No Ingress of some class has an address: its controller may never write one, and take those
    /// without a class as well, as Traefik does.
    some_are_silent: bool,
}

impl<'a> Classes<'a> {
    pub(super) fn of(
        cluster: &'a Cluster,
        live: &[(&'a Key, &'a Ingress)],
        out: &mut Output,
    ) -> Result<Self, Unanswered> {
        let table = cluster.read::<IngressClass>()?;
        let is_partial = table.has_undecoded();
        if is_partial {
            out.gap("classes", Unknown::Undecoded(IngressClass::KIND.name));
        }
        let with_address = live.iter().filter(|(_, ingress)| !ingress.addresses.is_empty());
        let served: BTreeSet<_> = with_address.map(|(_, ingress)| name(ingress)).collect();
        let is_silent = |class: &ClassName| {
            let is_there = || table.get(&Key::new("", class.name().clone())).is_some();
            let may_have_controller = matches!(class, ClassName::Annotation(_)) || is_there();
            may_have_controller && !served.contains(&Some(class.name()))
        };
        let mut classes = live.iter().filter_map(|(_, ingress)| ingress.class.as_ref());
        let some_are_silent = served.is_empty() || classes.any(is_silent);
        Ok(Self { cluster, table, is_partial, served, some_are_silent })
    }

    /// Whether an Ingress has no address, and others of its class have: nothing serves it yet.
    pub(super) fn is_left_out(&self, ingress: &Ingress) -> bool {
        ingress.addresses.is_empty() && self.served.contains(&name(ingress))
    }

    fn get(&self, name: &Name) -> Option<&'a IngressClass> {
        self.table.get(&Key::new("", name.clone()))
    }

    /// Returns what the controller of an Ingress calls itself, where its class says so.
    pub(super) fn controller(&self, ingress: &Ingress) -> Option<&'a Name> {
        Some(&self.get(name(ingress)?)?.controller)
    }

    pub(super) fn stand(&self, ingress: &Ingress) -> Stand {
        let is_served = self.served.contains(&name(ingress));
        let is_missing = |name: &Name| self.get(name).is_none() && !self.is_partial;
        match &ingress.class {
            _ if !ingress.addresses.is_empty() => Stand::Served,
            // Helm may bring the class a moment later; nothing else does.
            Some(ClassName::Spec(name)) if !is_served && is_missing(name) => Stand::Missing,
            _ if ingress.created.is_some() && !is_old(self.cluster, ingress.created, LONG) => {
                Stand::Young
            }
            _ if is_served => Stand::Waits,
            None if self.table.iter().next().is_some() && !self.some_are_silent => Stand::NoClass,
            _ => Stand::NeverWorked,
        }
    }

    /// Tells how one Ingress stands.
    pub(super) fn tell(&self, out: &mut Output, key: &Key, ingress: &Ingress, stand: Stand) {
        let since = || match age(self.cluster, ingress.created) {
            Some(age) => format!(" {} after it was made", long(age)),
            None => String::new(),
        };
        let (code, message) = match stand {
            Stand::Served | Stand::Young | Stand::NeverWorked => return,
            Stand::Waits => {
                let others = match name(ingress) {
                    Some(class) => format!("of class {class}"),
                    None => "without a class".to_owned(),
                };
                let words = format!("no address{}, and others {others} have one", since());
                (&NO_ADDRESS, format!("{words}: look at the log of their controller"))
            }
            Stand::NoClass => {
                let default = self.table.iter().find(|(_, class)| class.is_default);
                let why = match default {
                    Some((key, _)) => {
                        format!("it was made before class {} became the default", key.name)
                    }
                    None => format!("no class is the default{}", self.there_are()),
                };
                (&NO_CLASS, format!("it names no class, and {why}: look at which it is to have"))
            }
            Stand::Missing => {
                let class = name(ingress).map_or("", |name| &**name);
                let there_are = self.there_are();
                let words = format!("its class {class} is not there{there_are}");
                (&CLASS_MISSING, format!("{words}: look at how its name is written"))
            }
        };
        out.finding(Finding::of::<Ingress>(code, key.clone(), message));
    }

    /// Names the classes that there are, three at most.
    fn there_are(&self) -> String {
        let names: Vec<&str> = self.table.iter().map(|(key, _)| &*key.name).collect();
        let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        match names.len() {
            0 => ", nor is any other".to_owned(),
            1..=3 => format!("; there is {shown}"),
            all => format!("; there is {shown} and {} more", count(all - 3)),
        }
    }

    /// Tells what is so of whole classes.
    pub(super) fn tell_all(&self, out: &mut Output, live: &[(&'a Key, &'a Ingress)]) {
        let mut never: BTreeMap<Option<&Name>, Vec<&Key>> = BTreeMap::new();
        let mut of: BTreeMap<&Name, usize> = BTreeMap::new();
        for (key, ingress) in live {
            if self.stand(ingress) == Stand::NeverWorked {
                never.entry(name(ingress)).or_default().push(key);
            }
            if let Some(name) = name(ingress) {
                *of.entry(name).or_default() += 1;
            }
        }
        for (class, keys) in never {
            out.finding(self.never_worked(class, &keys));
        }
        for (key, class) in self.table.iter() {
            let ingresses = of.get(&key.name).copied().unwrap_or_default();
            if ingresses > 0 && is_nginx(&class.controller) {
                let message = format!(
                    "ingress-nginx is named by {}, and is retired since March 2026: look for \
                     another controller, unless somebody else still repairs yours",
                    ingresses_of(ingresses)
                );
                out.finding(Finding::of::<IngressClass>(&RETIRED, key.clone(), message));
            }
        }
    }

    /// Tells of a class, or where there is no object of it, of its first Ingress.
    fn never_worked(&self, class: Option<&Name>, keys: &[&Key]) -> Finding {
        let words =
            "none has an address: look at whether their controller runs, and whether it writes one";
        let all = ingresses_of(keys.len());
        match class {
            Some(class) if self.get(class).is_some() => {
                let message = format!("of {all} {words}");
                Finding::of::<IngressClass>(&NEVER_WORKED, Key::new("", class.clone()), message)
            }
            Some(class) => {
                let message = format!("of {all} of class {class} {words}");
                Finding::of::<Ingress>(&NEVER_WORKED, keys[0].clone(), message)
            }
            None => {
                let message = format!("of {all} without a class {words}");
                Finding::of::<Ingress>(&NEVER_WORKED, keys[0].clone(), message)
            }
        }
    }
}

fn name(ingress: &Ingress) -> Option<&Name> {
    ingress.class.as_ref().map(ClassName::name)
}

fn ingresses_of(number: usize) -> String {
    format!("{} {}", count(number), if number == 1 { "Ingress" } else { "Ingresses" })
}

/// Whether a controller is ingress-nginx, under whichever name.
pub(super) fn is_nginx(controller: &Name) -> bool {
    controller.strip_prefix(NGINX.0).is_some_and(|rest| rest.contains(NGINX.1))
}
