//! Which kinds are served, in both forms of discovery.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Json;
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::store::{Served, Store};
use crate::model::Scope;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Answers a request of discovery, if `path` is one.
pub(super) fn answer(store: &Store, path: &str, headers: &HeaderMap) -> Option<Response> {
    let groups = groups(store);
    if path == "/apis" {
        let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let is_aggregated = accepts.is_some_and(|forms| forms.contains(AGGREGATED));
        return Some(if store.aggregates && is_aggregated {
            aggregated(&groups, headers)
        } else {
            Json(listed(&groups)).into_response()
        });
    }
    let (group, version) = path.strip_prefix("/apis/")?.split_once('/')?;
    let served = groups.get(group)?.get(version)?;
    let resources: Vec<Value> = served.iter().map(|it| json!({ "name": it.kind.plural })).collect();
    Some(Json(json!({ "kind": "APIResourceList", "resources": resources })).into_response())
}

type Groups<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<Served>>>;

fn groups(store: &Store) -> Groups<'_> {
    let mut groups = Groups::new();
    for served in store.served.iter().filter(|served| !served.kind.group.is_empty()) {
        let versions = groups.entry(served.kind.group).or_default();
        versions.entry(served.version).or_default().push(*served);
    }
    groups
}

fn aggregated(groups: &Groups<'_>, headers: &HeaderMap) -> Response {
    let resource = |served: &Served| {
        let scope = match served.kind.scope {
            Scope::Namespaced => "Namespaced",
            Scope::Cluster => "Cluster",
        };
        json!({ "resource": served.kind.plural, "scope": scope })
    };
    let version = |(version, served): (&&str, &Vec<Served>)| {
        let resources: Vec<Value> = served.iter().map(resource).collect();
        json!({ "version": version, "freshness": "Current", "resources": resources })
    };
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions.iter().map(version).collect();
            json!({ "metadata": { "name": group }, "versions": versions })
        })
        .collect();
    let body = json!({ "kind": "APIGroupDiscoveryList", "metadata": {}, "items": items });
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    let tag = format!("\"{:x}\"", hasher.finish());
    if headers.get(IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(CONTENT_TYPE, AGGREGATED.to_owned()), (ETAG, tag)], body.to_string()).into_response()
}

fn listed(groups: &Groups<'_>) -> Value {
    let versions = |versions: &BTreeMap<&str, Vec<Served>>| -> Vec<Value> {
        versions.keys().map(|version| json!({ "version": version })).collect()
    };
    let groups: Vec<Value> = groups
        .iter()
        .map(|(group, of)| json!({ "name": group, "versions": versions(of) }))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}
