//! Which kinds a cluster has, as its API server says: what discovery answers, and what is made
//! of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::model::Kind;

/// A kind that was there is gone once it has been away for this long: a starting API server does
/// not know its custom resources at first.
pub(super) const SURE: Duration = Duration::from_secs(10);

/// Whether a cluster has a kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Presence {
    /// Nothing has said so yet.
    #[default]
    Unknown,
    /// It has, in this version.
    Served(&'static str),
    /// It has not.
    Absent,
}

/// What one discovery found of one kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    Served(&'static str),
    Absent,
    /// What serves the group does not answer now.
    Unsure,
}

/// The groups of an API server: by name and version their resources by plural name; none when
/// what serves them does not answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Groups(BTreeMap<String, BTreeMap<String, Option<Vec<String>>>>);

impl Groups {
    /// Reads the aggregated form, which has all of it.
    pub(super) fn aggregated(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            kind: String,
            items: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            metadata: Metadata,
            #[serde(default)]
            versions: Vec<Version>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Metadata {
            name: String,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
            freshness: Option<String>,
            #[serde(default)]
            resources: Vec<Resource>,
        }
        #[derive(Deserialize)]
        struct Resource {
            resource: String,
        }
        let document: Document = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if document.kind != "APIGroupDiscoveryList" {
            return Err(format!("kind {} in the place of APIGroupDiscoveryList", document.kind));
        }
        let version = |version: Version| {
            let names = version.resources.into_iter().map(|resource| resource.resource).collect();
            let is_stale = version.freshness.as_deref() == Some("Stale");
            (version.version, (!is_stale).then_some(names))
        };
        let groups = document
            .items
            .into_iter()
            .map(|group| (group.metadata.name, group.versions.into_iter().map(version).collect()));
        Self(groups.collect()).checked()
    }

    /// Reads the older form, which has the versions of each group and no resources yet.
    pub(super) fn listed(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            kind: String,
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            name: String,
            #[serde(default)]
            versions: Vec<Version>,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let document: Document = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if document.kind != "APIGroupList" {
            return Err(format!("kind {} in the place of APIGroupList", document.kind));
        }
        let groups = document.groups.into_iter().map(|group| {
            (group.name, group.versions.into_iter().map(|it| (it.version, None)).collect())
        });
        Self(groups.collect()).checked()
    }

    /// Every cluster has groups: an answer without any is no answer.
    fn checked(self) -> Result<Self, String> {
        if self.0.is_empty() { Err("no groups at all".to_owned()) } else { Ok(self) }
    }

    /// Returns the versions of a kind that its group has, and of which no resource is known.
    pub(super) fn unread_versions_of(&self, kind: &Kind) -> Vec<&'static str> {
        let Some(group) = self.0.get(kind.group) else { return Vec::new() };
        let versions = kind.versions.iter().copied();
        versions.filter(|version| group.get(*version).is_some_and(Option::is_none)).collect()
    }

    /// Adds the resources of one version of one group, as the older form has them.
    pub(super) fn add(&mut self, kind: &Kind, version: &str, body: &[u8]) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Document {
            kind: String,
            resources: Vec<Resource>,
        }
        #[derive(Deserialize)]
        struct Resource {
            name: String,
        }
        let document: Document = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if document.kind != "APIResourceList" {
            return Err(format!("kind {} in the place of APIResourceList", document.kind));
        }
        let names = document.resources.into_iter().map(|resource| resource.name).collect();
        let group = self.0.entry(kind.group.to_owned()).or_default();
        group.insert(version.to_owned(), Some(names));
        Ok(())
    }

    /// Returns what is found of a kind: its first version that is served.
    pub(super) fn find(&self, kind: &Kind) -> Found {
        let Some(group) = self.0.get(kind.group) else { return Found::Absent };
        let mut found = Found::Absent;
        for version in kind.versions.iter().copied() {
            match group.get(version) {
                Some(Some(names)) if names.iter().any(|name| name == kind.plural) => {
                    return Found::Served(version);
                }
                Some(None) => found = Found::Unsure,
                _ => {}
            }
        }
        found
    }
}

/// What is known of one kind by all discoveries so far.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    pub(super) presence: Presence,
    /// Since when a kind that was there is away.
    away: Option<Instant>,
}

impl Discovered {
    /// Takes in what was found, and returns whether that has to be asked again soon.
    pub(super) fn learn(&mut self, now: Instant, found: Found) -> bool {
        match found {
            Found::Served(version) => {
                (self.presence, self.away) = (Presence::Served(version), None);
            }
            Found::Unsure => self.away = None,
            Found::Absent if matches!(self.presence, Presence::Served(_)) => {
                let since = *self.away.get_or_insert(now);
                if now - since < SURE {
                    return true;
                }
                (self.presence, self.away) = (Presence::Absent, None);
            }
            Found::Absent => self.presence = Presence::Absent,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    static GATEWAY: Kind = Kind {
        group: "gateway.networking.k8s.io",
        versions: &["v1", "v1beta1"],
        optional: true,
        scope: Scope::Namespaced,
        ..Kind::new("Gateway", "gateways")
    };

    fn aggregated(group: &str, versions: &str) -> Result<Groups, String> {
        let body = format!(
            r#"{{ "kind": "APIGroupDiscoveryList", "metadata": {{}}, "items": [
                {{ "metadata": {{ "name": "apps" }}, "versions": [] }},
                {{ "metadata": {{ "name": "{group}" }}, "versions": [{versions}] }}] }}"#
        );
        Groups::aggregated(body.as_bytes())
    }

    fn version(version: &str, freshness: &str, resource: &str) -> String {
        format!(
            r#"{{ "version": "{version}", "freshness": "{freshness}",
                "resources": [{{ "resource": "{resource}", "scope": "Namespaced" }}] }}"#
        )
    }

    #[test]
    fn the_preferred_version_that_is_served_is_found() {
        let (v1, beta) = ("v1", "v1beta1");
        let has = |name, freshness| version(name, freshness, "gateways");
        for (versions, expected) in [
            (vec![has(beta, "Current"), has(v1, "Current")], Found::Served(v1)),
            (vec![has(beta, "Current")], Found::Served(beta)),
            (vec![has("v2", "Current")], Found::Absent),
            (vec![version(v1, "Current", "routes"), has(beta, "Current")], Found::Served(beta)),
            (vec![version(v1, "Current", "routes")], Found::Absent),
            (vec![has(v1, "Stale")], Found::Unsure),
            (vec![has(v1, "Stale"), has(beta, "Current")], Found::Served(beta)),
            (vec![], Found::Absent),
        ] {
            let groups = aggregated(GATEWAY.group, &versions.join(",")).unwrap();
            assert_eq!(groups.find(&GATEWAY), expected, "{versions:?}");
        }
        assert_eq!(aggregated("other", &has(v1, "Current")).unwrap().find(&GATEWAY), Found::Absent);
    }

    #[test]
    fn the_older_form_is_unsure_until_its_resources_are_known() {
        let body = br#"{ "kind": "APIGroupList", "groups": [
            { "name": "gateway.networking.k8s.io", "versions": [
                { "groupVersion": "gateway.networking.k8s.io/v1beta1", "version": "v1beta1" }] }] }"#;
        let mut groups = Groups::listed(body).unwrap();
        assert_eq!(groups.unread_versions_of(&GATEWAY), ["v1beta1"]);
        assert_eq!(groups.find(&GATEWAY), Found::Unsure);
        let resources = br#"{ "kind": "APIResourceList", "resources": [{ "name": "gateways" }] }"#;
        groups.add(&GATEWAY, "v1beta1", resources).unwrap();
        assert_eq!(groups.find(&GATEWAY), Found::Served("v1beta1"));
        assert!(groups.unread_versions_of(&GATEWAY).is_empty());
    }

    #[test]
    fn another_answer_than_discovery_is_no_cluster_without_kinds() {
        for body in [
            "<html>",
            "{}",
            r#"{ "kind": "Status", "code": 503 }"#,
            r#"{ "kind": "APIGroupDiscoveryList", "items": [] }"#,
            r#"{ "kind": "APIGroupList", "groups": [] }"#,
            r#"{ "kind": "APIVersions", "versions": ["v1"], "items": [], "groups": [] }"#,
        ] {
            assert!(Groups::aggregated(body.as_bytes()).is_err(), "{body}");
            assert!(Groups::listed(body.as_bytes()).is_err(), "{body}");
            assert!(Groups::default().add(&GATEWAY, "v1", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_was_there_is_gone_once_that_has_lasted() {
        let start = Instant::now();
        let mut known = Discovered::default();
        let mut learn = |seconds, found| {
            let soon = known.learn(start + Duration::from_secs(seconds), found);
            (known.presence, soon)
        };
        let (served, v1) = (Presence::Served("v1"), Found::Served("v1"));
        assert_eq!(learn(0, Found::Unsure), (Presence::Unknown, false));
        assert_eq!(learn(0, Found::Absent), (Presence::Absent, false), "never seen");
        assert_eq!(learn(1, v1), (served, false), "it appears");
        assert_eq!(learn(2, Found::Absent), (served, true));
        assert_eq!(learn(5, v1), (served, false), "the API server had just started");
        assert_eq!(learn(6, Found::Absent), (served, true));
        assert_eq!(learn(10, Found::Unsure), (served, false));
        assert_eq!(learn(11, Found::Absent), (served, true));
        assert_eq!(learn(21, Found::Absent), (Presence::Absent, false));
    }
}
