//! Where a container finds ConfigMaps, as the API sends it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::field::{Text, or_default};
use crate::model::{self, Mount, Mounted, Name};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    config_map: Option<Source<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    projected: Projected<'a>,
}

#[derive(Default, Deserialize)]
struct Projected<'a> {
    #[serde(borrow)]
    sources: Option<Vec<Projection<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Projection<'a> {
    #[serde(borrow)]
    config_map: Option<Source<'a>>,
}

#[derive(Deserialize)]
struct Source<'a> {
    name: Option<Name>,
    #[serde(borrow)]
    items: Option<Vec<Item<'a>>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumeMount<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    mount_path: Option<Text<'a>>,
    #[serde(borrow)]
    sub_path: Option<Text<'a>>,
}

/// Reads what is looked at of few pods only; what cannot be read is not there.
pub(super) fn list<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Vec<T> {
    let read = raw.and_then(|raw| serde_json::from_str::<Option<Vec<T>>>(raw.get()).ok());
    read.flatten().unwrap_or_default()
}

/// Returns which ConfigMaps a container finds where; absent where it has none, and is not told of a
/// file.
pub(super) fn mounted(
    volumes: Option<&RawValue>,
    mounts: Option<&RawValue>,
    words: [Option<&RawValue>; 2],
) -> Option<Mounted> {
    let (volumes, words): (Vec<Volume<'_>>, Vec<Text<'_>>) =
        (list(volumes), words.into_iter().flat_map(list).collect());
    let mounts = list::<VolumeMount<'_>>(mounts).into_iter().flat_map(|mount| {
        let named = |volume: &&Volume<'_>| volume.name.as_deref() == mount.name.as_deref();
        let sources = volumes.iter().find(named).into_iter().flat_map(Volume::sources);
        let path: Box<str> = mount.mount_path.as_deref().unwrap_or_default().into();
        let sub_path: Option<Box<str>> =
            mount.sub_path.as_deref().filter(|it| !it.is_empty()).map(Into::into);
        let mount = move |source: &Source<'_>| Mount {
            path: path.trim_end_matches('/').into(),
            sub_path: sub_path.clone(),
            config_map: source.name.clone().unwrap_or_default(),
            items: source.items(),
        };
        sources.map(mount).collect::<Vec<_>>()
    });
    let mounts: Box<[Mount]> = mounts.collect();
    let conf = flag(&words, &["conf"]).map(Into::into);
    let port = flag(&words, &["dns.port", "p"]).and_then(|port| port.parse().ok());
    (conf.is_some() || !mounts.is_empty()).then_some(Mounted { conf, port, mounts })
}

impl<'a> Volume<'a> {
    fn sources(&self) -> impl Iterator<Item = &Source<'a>> {
        let projected = self.projected.sources.iter().flatten();
        self.config_map.iter().chain(projected.filter_map(|it| it.config_map.as_ref()))
    }
}

impl Source<'_> {
    fn items(&self) -> Option<Box<[model::Item]>> {
        let items = self.items.as_ref().filter(|items| !items.is_empty())?;
        let item = |item: &Item<'_>| {
            let [key, path] = [&item.key, &item.path].map(|it| it.as_deref().map(Into::into));
            Some(model::Item { key: key?, path: path? })
        };
        Some(items.iter().filter_map(item).collect())
    }
}

/// Returns the value of a flag, behind it or as `-flag=value`, with one dash or two.
pub(super) fn flag<'w>(words: &'w [Text<'_>], names: &[&str]) -> Option<&'w str> {
    words.iter().enumerate().find_map(|(at, word)| {
        let word = word.strip_prefix('-')?;
        let word = word.strip_prefix('-').unwrap_or(word);
        let (name, value) = word.split_once('=').map_or((word, None), |(a, b)| (a, Some(b)));
        names.contains(&name).then(|| value.or_else(|| words.get(at + 1).map(|it| &**it)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pod;
    use crate::watch::object::tests::read;

    fn pod(container: &str) -> Option<Box<Mounted>> {
        let pod: Pod = read(&format!(
            r#"{{ "spec": {{ "volumes": [
                {{ "name": "config", "configMap": {{ "name": "coredns", "items": [
                    {{ "key": "Corefile", "path": "Corefile" }}, {{ "key": null }} ] }} }},
                {{ "name": "custom", "configMap": {{ "name": "coredns-custom", "optional": true }} }},
                {{ "name": "both", "projected": {{ "sources": [
                    {{ "configMap": {{ "name": "a" }} }}, {{ "secret": {{ "name": "s" }} }},
                    {{ "configMap": {{ "name": "b", "items": [] }} }} ] }} }},
                {{ "name": "secret", "secret": {{ "secretName": "s" }} }}
            ], "containers": [
                {{ "name": "beside", "volumeMounts": [{{ "name": "secret", "mountPath": "/s" }}] }},
                {{ "name": "dns", "ports": [{{ "containerPort": 53, "protocol": "UDP" }}], {container} }}
            ] }} }}"#
        ));
        pod.mounted
    }

    #[test]
    fn a_container_finds_config_maps_in_its_folders() {
        let mounted = pod(
            r#""args": ["-conf", "/etc/coredns/Corefile", "--dns.port=1053"], "volumeMounts": [
                { "name": "config", "mountPath": "/etc/coredns/", "readOnly": true },
                { "name": "custom", "mountPath": "/etc/coredns/custom" },
                { "name": "both", "mountPath": "/x", "subPath": "y" },
                { "name": "secret", "mountPath": "/s" },
                { "name": "none", "mountPath": "/n" }]"#,
        )
        .expect("it has some");
        assert_eq!(mounted.conf.as_deref(), Some("/etc/coredns/Corefile"));
        assert_eq!(mounted.port, Some(1053));
        let all = mounted.mounts.iter().map(|it| (&*it.path, &*it.config_map));
        assert!(all.eq([
            ("/etc/coredns", "coredns"),
            ("/etc/coredns/custom", "coredns-custom"),
            ("/x", "a"),
            ("/x", "b"),
        ]));
        let [config, custom, one, _] = &*mounted.mounts else { panic!("{mounted:?}") };
        assert_eq!(config.file("Corefile").as_deref(), Some("/etc/coredns/Corefile"));
        assert_eq!(config.file("other"), None);
        assert_eq!(custom.file("a.server").as_deref(), Some("/etc/coredns/custom/a.server"));
        assert_eq!(one.file("y").as_deref(), Some("/x"));
        assert_eq!(one.file("z"), None);
        assert!(config.holds("/etc/coredns/custom") && !config.holds("/etc/corednss"));
    }

    #[test]
    fn what_is_not_there_or_odd_is_none() {
        for container in [
            r#""args": null, "volumeMounts": null"#,
            r#""args": [], "volumeMounts": []"#,
            r#""args": 7, "volumeMounts": {}"#,
            r#""args": ["run"], "volumeMounts": [{}, { "name": null }]"#,
        ] {
            assert_eq!(pod(container), None, "{container}");
        }
        let told =
            pod(r#""command": ["/coredns", "-conf"], "args": ["/Corefile"]"#).expect("a file");
        assert_eq!(told.conf.as_deref(), Some("/Corefile"));
        let without: Pod =
            read(r#"{ "spec": { "volumes": [], "containers": [{ "args": ["-conf", "a"] }] } }"#);
        assert_eq!(without.mounted, None, "it answers no DNS");
    }
}
