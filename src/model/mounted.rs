//! The files that a container has from ConfigMaps.

use super::Name;

/// What the container that answers DNS is told, and where it finds it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mounted {
    /// The file that `-conf` names.
    pub conf: Option<Box<str>>,
    /// The port that `-dns.port` or `-p` names.
    pub port: Option<u16>,
    /// What is mounted.
    pub mounts: Box<[Mount]>,
}

/// A ConfigMap among a container's files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mount {
    /// `mountPath`, without a slash at its end.
    pub path: Box<str>,
    /// `subPath`: the one file that is mounted, at that path.
    pub sub_path: Option<Box<str>>,
    /// The ConfigMap's name.
    pub config_map: Name,
    /// `items`: the keys that become files, and how those are called; absent means all, by their
    /// keys.
    pub items: Option<Box<[Item]>>,
}

/// A key that becomes a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Item {
    /// `key`.
    pub key: Box<str>,
    /// `path`.
    pub path: Box<str>,
}

impl Mount {
    /// Returns the file of a key, if it has one.
    pub fn file(&self, key: &str) -> Option<String> {
        let name = match &self.items {
            None => key,
            Some(items) => &*items.iter().find(|item| *item.key == *key)?.path,
        };
        match &self.sub_path {
            None => Some(format!("{}/{name}", self.path)),
            Some(sub_path) => (**sub_path == *name).then(|| self.path.to_string()),
        }
    }

    /// Whether a path lies where it is mounted.
    pub fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
