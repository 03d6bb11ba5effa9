//! Ingresses that claim the same path.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::CONFLICT;
use super::backends::{first, place, text};
use super::classes::Classes;
use crate::check::{Finding, Output};
use crate::model::{Backend, ClassName, Ingress, IngressPath, Key, Matches, Name};

/// What only one Ingress can have: a path at an address. Controllers that make a load balancer for
/// each Ingress give each its own address, so that they never share one.
type Claim<'a> = (Option<&'a Name>, &'a [Name], Cow<'a, str>, &'a str, Matches);

/// Tells of the Ingresses whose paths another has with another backend, and returns them.
///
/// Of two the younger is told: the older one mostly wins. One that waits for an address which others
/// of its class have takes nothing from anybody, and may get one of its own.
pub(super) fn tell<'a>(
    live: &[(&'a Key, &'a Ingress)],
    classes: &Classes<'_>,
    out: &mut Output,
) -> BTreeSet<&'a Key> {
    let claims = |it: &Ingress| !it.is_shared && !it.is_redirect && !classes.is_left_out(it);
    let mut by_age: Vec<&(&Key, &Ingress)> = live.iter().filter(|(_, it)| claims(it)).collect();
    by_age.sort_by_key(|(key, ingress)| (ingress.created, *key));
    let mut claims: BTreeMap<Claim<'a>, (&'a Key, &'a Backend)> = BTreeMap::new();
    let mut found: BTreeMap<&'a Key, Vec<String>> = BTreeMap::new();
    for &(key, ingress) in by_age {
        for path in &ingress.paths {
            let Backend::Service { .. } = path.backend else { continue };
            let (older, backend) =
                *claims.entry(claim(ingress, path)).or_insert((key, &path.backend));
            let same = backend == &path.backend && older.namespace == key.namespace;
            if older != key && !same {
                found.entry(key).or_default().push(format!(
                    "{} leads to {} here, and to {} in Ingress {older}",
                    place(path),
                    service(&path.backend),
                    service(backend)
                ));
            }
        }
    }
    for (key, all) in &found {
        let message = format!("{}, which is older: look at both", first(all));
        out.finding(Finding::of::<Ingress>(&CONFLICT, (*key).clone(), message));
    }
    found.into_keys().collect()
}

fn claim<'a>(ingress: &'a Ingress, path: &'a IngressPath) -> Claim<'a> {
    let class = ingress.class.as_ref().map(ClassName::name);
    let host = path.host.trim_end_matches('.');
    let host = if host.chars().any(|it| it.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    // By elements the slash at the end is nothing.
    let text: &str = match path.matches {
        Matches::Prefix => path.path.trim_end_matches('/'),
        Matches::Otherwise if *path.path == *"/" => "",
        Matches::Exact | Matches::Otherwise => &path.path,
    };
    (class, &*ingress.addresses, host, text, path.matches)
}

fn service(backend: &Backend) -> String {
    match backend {
        Backend::Service { name, port } => format!("{name}:{}", text(port)),
        Backend::Other => "something else".to_owned(),
    }
}
