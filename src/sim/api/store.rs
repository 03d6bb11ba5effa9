//! The objects, their versions, and what changed of late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Parameters;

/// Changes that are remembered for watches; older ones are `410`.
const HISTORY: usize = 4096;

/// A kind as the API names it.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Kind {
    pub(super) kind: &'static str,
    pub(super) version: &'static str,
    pub(super) path: &'static str,
}

/// What is served; spelled out here, so that a misspelt path in the model shows.
pub(super) static KINDS: [Kind; 6] = [
    Kind { kind: "Node", version: "v1", path: "/api/v1/nodes" },
    Kind { kind: "Namespace", version: "v1", path: "/api/v1/namespaces" },
    Kind { kind: "Pod", version: "v1", path: "/api/v1/pods" },
    Kind { kind: "Service", version: "v1", path: "/api/v1/services" },
    Kind {
        kind: "EndpointSlice",
        version: "discovery.k8s.io/v1",
        path: "/apis/discovery.k8s.io/v1/endpointslices",
    },
    Kind {
        kind: "NetworkPolicy",
        version: "networking.k8s.io/v1",
        path: "/apis/networking.k8s.io/v1/networkpolicies",
    },
];

/// Kind, namespace and name.
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
    pub(super) streams: bool,
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
            streams: true,
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
        let named = text(&object, "/kind");
        let kind = named_kind(&named).ok_or_else(|| {
            let known: Vec<_> = KINDS.iter().map(|kind| kind.kind).collect();
            invalid(format!("cannot serve kind {named:?}: use one of {}", known.join(", ")))
        })?;
        let (namespace, name) =
            (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        if name.is_empty() {
            return Err(invalid(format!("a {named} has no metadata.name: give it one")));
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        object["apiVersion"] = kind.version.into();
        let object = Arc::new(object);
        let old = self.objects.insert((kind.kind, namespace, name), object.clone());
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        Ok(self.remember(kind.kind, what, object))
    }

    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> Option<u64> {
        let kind = named_kind(kind)?.kind;
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
        // A version of its own, so that even those who have seen every change are too old.
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
        let Some(kind) = named_kind(kind) else { return };
        if forbidden {
            self.forbidden.insert(kind.kind);
        } else {
            self.forbidden.remove(kind.kind);
        }
    }

    pub(super) fn is_forbidden(&self, kind: &Kind) -> bool {
        self.forbidden.contains(kind.kind)
    }

    /// Returns a page of a list; none when the token's list has changed since.
    pub(super) fn page(&self, kind: &Kind, query: &Parameters) -> Option<Value> {
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
        let all = self.list(kind.kind);
        let until = if limit == 0 { all.len() } else { all.len().min(from + limit) };
        let items: Vec<Value> = all.get(from..until)?.iter().map(|it| bare(it)).collect();
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if until < all.len() {
            metadata["continue"] = format!("{version}.{until}").into();
            metadata["remainingItemCount"] = (all.len() - until).into();
        }
        Some(json!({
            "kind": format!("{}List", kind.kind), "apiVersion": kind.version,
            "metadata": metadata, "items": items,
        }))
    }

    /// Returns the lines of what happened to `kind` after `version`; none when it is forgotten.
    pub(super) fn since(&self, kind: &Kind, version: u64) -> Option<Vec<String>> {
        if version < self.forgotten {
            return None;
        }
        let news = self.history.iter().filter(|it| it.version > version && it.kind == kind.kind);
        Some(news.map(|it| line(it.what, &it.object)).collect())
    }

    /// Returns the lines of everything that is there.
    pub(super) fn initial(&self, kind: &Kind) -> Vec<String> {
        self.list(kind.kind).iter().map(|object| line("ADDED", object)).collect()
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

fn named_kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind == name)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
