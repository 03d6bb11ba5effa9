//! The objects, their versions, and what changed of late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::model::{Kind, Scope};
use crate::watch;

/// The parameters of a request.
pub(super) type Parameters = BTreeMap<String, String>;

/// Changes that are remembered for watches; older ones are `410`.
const HISTORY: usize = 4096;

/// A kind in the version that is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) kind: &'static Kind,
    pub(super) version: &'static str,
}

impl Served {
    pub(super) fn api_version(self) -> String {
        self.kind.api_version(self.version)
    }
}

/// The label of the kind, namespace and name.
type Id = (&'static str, String, String);

/// One change, as a watch tells it.
#[derive(Debug)]
pub(super) struct Happened {
    version: u64,
    kind: &'static str,
    what: &'static str,
    object: Arc<Value>,
}

#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<Id, Arc<Value>>,
    history: VecDeque<Happened>,
    /// The version of the last change.
    version: u64,
    /// Watches from before this version cannot go on.
    forgotten: u64,
    forbidden: BTreeSet<&'static str>,
    pub(super) served: Vec<Served>,
    pub(super) streams: bool,
    /// Whether discovery has its aggregated form.
    pub(super) aggregates: bool,
}

/// Whether an object has in its fields what a kind asks for.
fn is_selected(kind: &Kind, object: &Value) -> bool {
    kind.fields.iter().flat_map(|fields| fields.split(',')).all(|field| {
        let (path, value) = field.split_once('=').unwrap_or((field, ""));
        object.pointer(&format!("/{}", path.replace('.', "/"))).is_some_and(|it| it == value)
    })
}

impl Default for Store {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            // Version 0 means any.
            version: 1,
            forgotten: 1,
            forbidden: BTreeSet::new(),
            served: watch::ALL
                .iter()
                .filter(|watch| !watch.kind.optional)
                .map(|watch| Served { kind: watch.kind, version: watch.kind.versions[0] })
                .collect(),
            streams: true,
            aggregates: true,
        }
    }
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn put(&mut self, mut object: Value) -> io::Result<u64> {
        let text = |object: &Value, pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (named, version) = (text(&object, "/kind"), text(&object, "/apiVersion"));
        let (namespace, name) =
            (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        let is_meant = |served: &&Served| {
            // Two groups may have one name.
            let is_of = |group: &str| version.is_empty() || *group == *served.kind.group;
            let is_only = served.kind.only.is_none_or(|only| only == name || name.is_empty());
            is_only
                && served.kind.name == named
                && is_of(version.rsplit_once('/').map_or("", |it| it.0))
        };
        let mut meant = self.served.iter().filter(is_meant);
        // One that no selector fits is given to somebody all the same.
        let first = meant.clone().next();
        let served =
            *meant.find(|it| is_selected(it.kind, &object)).or(first).ok_or_else(|| {
                let known: Vec<_> = self.served.iter().map(|served| served.kind.label).collect();
                invalid(format!("cannot serve kind {named:?}: use one of {}", known.join(", ")))
            })?;
        if name.is_empty() {
            return Err(invalid(format!("a {named} has no metadata.name: give it one")));
        }
        if namespace.is_empty() != (served.kind.scope == Scope::Cluster) {
            let place = if namespace.is_empty() { "needs a" } else { "has no" };
            return Err(invalid(format!("a {named} {place} metadata.namespace: correct it")));
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        object["apiVersion"] = served.api_version().into();
        let object = Arc::new(object);
        let kind = served.kind.label;
        let old = self.objects.insert((kind, namespace, name), object.clone());
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        Ok(self.remember(kind, what, object))
    }

    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> Option<u64> {
        let kind = self.labelled(kind)?;
        let object = self.objects.remove(&(kind, namespace.to_owned(), name.to_owned()))?;
        self.version += 1;
        let mut object = Arc::unwrap_or_clone(object);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        Some(self.remember(kind, "DELETED", Arc::new(object)))
    }

    fn remember(&mut self, kind: &'static str, what: &'static str, object: Arc<Value>) -> u64 {
        self.history.push_back(Happened { version: self.version, kind, what, object });
        if self.history.len() > HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.version
    }

    pub(super) fn compact(&mut self) -> u64 {
        // A version of its own, so that even a watch that has seen every change is too old.
        self.version += 1;
        self.history.clear();
        self.forgotten = self.version;
        self.version
    }

    pub(super) fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        let of = self.objects.iter().filter(|((known, _, _), _)| *known == kind);
        of.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn forbid(&mut self, kind: &str, forbidden: bool) {
        let Some(kind) = self.labelled(kind) else { return };
        if forbidden {
            self.forbidden.insert(kind);
        } else {
            self.forbidden.remove(kind);
        }
    }

    pub(super) fn is_forbidden(&self, kind: &Kind) -> bool {
        self.forbidden.contains(kind.label)
    }

    /// Serves a kind from now on, in one version.
    pub(super) fn install(&mut self, kind: &'static Kind, version: &'static str) {
        self.served.retain(|served| served.kind != kind);
        self.served.push(Served { kind, version });
    }

    /// Serves a kind no longer, and forgets its objects.
    pub(super) fn uninstall(&mut self, kind: &Kind) -> u64 {
        self.served.retain(|served| served.kind != kind);
        self.objects.retain(|(label, _, _), _| *label != kind.label);
        self.version += 1;
        self.version
    }

    pub(super) fn is_served(&self, kind: &Kind) -> bool {
        self.served.iter().any(|served| served.kind == kind)
    }

    fn labelled(&self, label: &str) -> Option<&'static str> {
        let mut labels = self.served.iter().map(|served| served.kind.label);
        labels.find(|known| *known == label)
    }

    /// Returns a page of a list; none when the token's list has changed since.
    pub(super) fn page(&self, served: Served, query: &Parameters) -> Option<Value> {
        let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(0);
        let (version, from) = match query.get("continue") {
            None => (self.version, 0),
            Some(token) => {
                let (version, from) = token.split_once('.')?;
                (version.parse().ok()?, from.parse().ok()?)
            }
        };
        if version != self.version {
            return None;
        }
        let all = self.list(served.kind.label);
        let until = if limit == 0 { all.len() } else { all.len().min(from + limit) };
        let items: Vec<Value> = all.get(from..until)?.iter().map(|it| bare(it)).collect();
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if until < all.len() {
            metadata["continue"] = format!("{version}.{until}").into();
            metadata["remainingItemCount"] = (all.len() - until).into();
        }
        Some(json!({
            "kind": format!("{}List", served.kind.name), "apiVersion": served.api_version(),
            "metadata": metadata, "items": items,
        }))
    }

    /// Returns the lines of what happened to `kind` after `version`; none when it is forgotten.
    pub(super) fn since(&self, kind: &Kind, version: u64) -> Option<Vec<String>> {
        if version < self.forgotten {
            return None;
        }
        let news = self.history.iter().filter(|it| it.version > version && it.kind == kind.label);
        Some(news.map(|it| line(it.what, &it.object)).collect())
    }

    /// Returns the lines of everything that is there.
    pub(super) fn initial(&self, kind: &Kind) -> Vec<String> {
        self.list(kind.label).iter().map(|object| line("ADDED", object)).collect()
    }
}

/// Writes an event with its `type` first, as API servers do.
pub(super) fn line(what: &str, object: &Value) -> String {
    format!("{{\"type\":\"{what}\",\"object\":{object}}}\n")
}

/// An item of a list has neither kind nor version of its own.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// What the API says of what it refuses.
pub(super) fn status_object(code: StatusCode, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    })
}
