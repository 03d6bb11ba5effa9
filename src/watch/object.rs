//! API objects whose decoding cannot fail.
//!
//! One bad field of one object must neither blind its kind nor lose the object: its key stays
//! known, and the error goes with it. A good object, which practically every one is, is read in
//! one pass; only what cannot be read so is read again.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::error::{WatchError, one_line};
use super::field::{Text, or_default};
use super::split::{Identity, InMetadata, Split};
use crate::model::{Fact, Key};

/// A fact that is made of an API object.
///
/// The JSON is read by own slim types, in which every field may be absent or `null`.
pub(crate) trait Watched: Fact {
    /// What it needs of `metadata` beside the key; what costs is only read where it is named.
    type Metadata<'a>: Default + Deserialize<'a>;

    /// What it needs of the other fields.
    type Wire<'a>: Deserialize<'a>;

    /// Makes the fact of what was read.
    fn new(metadata: Self::Metadata<'_>, wire: Self::Wire<'_>) -> Self;
}

/// A fact that is read as it stands: its fields are the object's own, and it needs no metadata.
pub trait Plain: Fact + DeserializeOwned {}

impl<T: Plain> Watched for T {
    type Metadata<'a> = IgnoredAny;
    type Wire<'a> = Self;

    fn new(_: IgnoredAny, wire: Self) -> Self {
        wire
    }
}

/// An object as JSON.
type Whole<'a, T> =
    Split<InMetadata<Split<Identity<'a>, <T as Watched>::Metadata<'a>>>, <T as Watched>::Wire<'a>>;

/// One object of a list or a watch: its key, and its fact if that can be decoded.
#[derive(Debug)]
pub(super) struct Received<T> {
    pub(super) key: Key,
    /// `metadata.resourceVersion`; empty when it cannot be read.
    pub(super) version: String,
    pub(super) fact: Result<T, String>,
}

impl<T: Watched> Received<T> {
    fn new(whole: Whole<'_, T>) -> Self {
        let Split { aside: InMetadata(metadata), rest: wire } = whole;
        let Split { aside: Identity { name, namespace, version }, rest: metadata } = metadata;
        let key = Key { namespace: namespace.unwrap_or_default(), name: name.unwrap_or_default() };
        let version = version.as_deref().unwrap_or_default().to_owned();
        if key.name.is_empty() {
            return Self { key, version, fact: Err("metadata.name is absent".to_owned()) };
        }
        Self { key, version, fact: Ok(T::new(metadata, wire)) }
    }

    /// Saves of an object what can be saved.
    fn undecoded(raw: &RawValue, error: serde_json::Error) -> Self {
        let Head { metadata } = serde_json::from_str(raw.get()).unwrap_or_default();
        let key =
            Key::new(metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
        let version = metadata.resource_version.unwrap_or_default();
        Self { key, version, fact: Err(error.to_string()) }
    }

    fn read(raw: &RawValue) -> Self {
        match serde_json::from_str(raw.get()) {
            Ok(wire) => Self::new(wire),
            Err(error) => Self::undecoded(raw, error),
        }
    }
}

/// What even an undecodable object, a bookmark and a list have.
#[derive(Default, Deserialize)]
struct Head {
    metadata: ListMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    r#continue: Option<String>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: Option<String>,
}

/// A `Status` object: the API server's refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(deserialize_with = "or_default")]
    pub(super) code: u16,
    #[serde(deserialize_with = "or_default")]
    pub(super) message: String,
    details: Option<Details>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    retry_after_seconds: Option<u64>,
}

impl Status {
    /// Returns how long it asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.details.as_ref()?.retry_after_seconds?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

impl From<Status> for WatchError {
    fn from(status: Status) -> Self {
        let (code, retry_after) = (status.code, status.retry_after());
        Self::Refused { code, message: one_line(&status.message), retry_after }
    }
}

/// One line of a watch.
#[derive(Debug)]
pub(super) enum WatchEvent<T> {
    /// An object was made or changed.
    Put(Received<T>),
    /// An object was deleted.
    Gone(Received<T>),
    /// Nothing happened up to `version`.
    Bookmark {
        /// The version of the whole kind.
        version: String,
        /// Whether every object that there was has been sent.
        complete: bool,
    },
    /// The API server ends the watch.
    Refused(Status),
}

/// In any order of its fields: some proxies sort them, and then `object` comes first.
#[derive(Deserialize)]
struct Event<'a, O> {
    #[serde(borrow)]
    r#type: Text<'a>,
    object: O,
}

impl<T: Watched> WatchEvent<T> {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// Fails when it is no event of a watch; an undecodable object is none of these errors.
    pub(super) fn read(line: &[u8]) -> serde_json::Result<Self> {
        let error = match serde_json::from_slice::<Event<'_, Whole<'_, T>>>(line) {
            Ok(event) => match &*event.r#type {
                "ADDED" | "MODIFIED" => return Ok(Self::Put(Received::new(event.object))),
                "DELETED" => return Ok(Self::Gone(Received::new(event.object))),
                _ => None,
            },
            Err(error) => Some(error),
        };
        let event = serde_json::from_slice::<Event<'_, &RawValue>>(line)?;
        let object = event.object.get();
        match (&*event.r#type, error) {
            ("BOOKMARK", _) => {
                let Head { metadata } = serde_json::from_str(object)?;
                let end = metadata.annotations.and_then(|all| all.initial_events_end);
                Ok(Self::Bookmark {
                    version: metadata.resource_version.unwrap_or_default(),
                    complete: end.as_deref() == Some("true"),
                })
            }
            ("ERROR", _) => serde_json::from_str(object).map(Self::Refused),
            ("DELETED", Some(error)) => Ok(Self::Gone(Received::undecoded(event.object, error))),
            ("ADDED" | "MODIFIED", Some(error)) => {
                Ok(Self::Put(Received::undecoded(event.object, error)))
            }
            (other, _) => {
                let expected = &"a type of watch event";
                let found = serde::de::Unexpected::Str(other);
                Err(serde::de::Error::invalid_value(found, expected))
            }
        }
    }
}

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) objects: Vec<Received<T>>,
    /// The version of the whole list; empty when the server gives none.
    pub(super) version: String,
    /// Where the next page begins; absent after the last.
    pub(super) next: Option<String>,
}

impl<T: Watched> Page<T> {
    /// Reads a page.
    ///
    /// # Errors
    ///
    /// Fails when it is no list; an undecodable object is none of these errors.
    pub(super) fn read(body: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct List<'a> {
            metadata: ListMeta,
            #[serde(borrow, default)]
            items: Option<Vec<&'a RawValue>>,
        }
        let List { metadata, items } = serde_json::from_slice(body)?;
        Ok(Self {
            objects: items.into_iter().flatten().map(Received::read).collect(),
            version: metadata.resource_version.unwrap_or_default(),
            next: metadata.r#continue.filter(|token| !token.is_empty()),
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
