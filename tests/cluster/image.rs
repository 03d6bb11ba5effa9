//! Images without a registry: one layer with static programs, as `ctr images import` takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::containerfile::{ARCHITECTURE, Containerfile};

/// An image to be made.
pub(crate) struct Image {
    /// Its whole name with the tag, as manifests write it.
    pub(crate) name: &'static str,
    /// How its containers are run.
    pub(crate) config: Map<String, Value>,
    /// Static programs: from here, to there.
    pub(crate) programs: Vec<(PathBuf, String)>,
    /// Symbolic links: what they lead to, and where they are.
    pub(crate) links: Vec<(&'static str, String)>,
}

/// How containers of an image are run that only has an entrypoint.
pub(crate) fn entrypoint(words: &[&str]) -> Map<String, Value> {
    let config = json!({"Entrypoint": words, "Env": ["PATH=/bin"], "WorkingDir": "/"});
    config.as_object().cloned().unwrap_or_default()
}

/// How containers of an image are run that are told what to run, as those of a distribution are.
pub(crate) fn shell() -> Map<String, Value> {
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let config = json!({"Cmd": ["sh"], "Env": [path]});
    config.as_object().cloned().unwrap_or_default()
}

impl Image {
    /// The image that ships, with its binary: what an engine makes of the Containerfile.
    pub(crate) fn shipped(name: &'static str, binary: &Path) -> Self {
        let file = Containerfile::shipped();
        let programs = file.programs(binary);
        Self { name, config: file.config, programs, links: Vec::new() }
    }

    /// Writes it as a tar into `folder`, and returns its path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let layer = self.layer();
        let digest = hex(&layer);
        let config = json!({
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        let config = config.to_string().into_bytes();
        let (config_path, layer_path) =
            (format!("{}.json", hex(&config)), format!("{digest}/layer.tar"));
        let manifest =
            json!([{ "Config": config_path, "RepoTags": [self.name], "Layers": [layer_path] }]);
        let mut archive = Builder::new(Vec::new());
        put(&mut archive, &config_path, 0o644, &config);
        put(&mut archive, &layer_path, 0o644, &layer);
        put(&mut archive, "manifest.json", 0o644, manifest.to_string().as_bytes());
        let bytes = archive.into_inner().expect("a vector takes all");
        let file = self.name.rsplit('/').next().unwrap_or(self.name).replace(':', "-");
        let path = folder.join(format!("{file}.tar"));
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    fn layer(&self) -> Vec<u8> {
        let mut layer = Builder::new(Vec::new());
        let mut made = BTreeSet::new();
        // Workloads with a shell write there.
        if !self.links.is_empty() {
            folders(&mut layer, &mut made, "/tmp/any");
        }
        for (from, to) in &self.programs {
            folders(&mut layer, &mut made, to);
            let bytes =
                fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
            put(&mut layer, to.trim_start_matches('/'), 0o755, &bytes);
        }
        for (target, at) in &self.links {
            folders(&mut layer, &mut made, at);
            let mut header = header(EntryType::Symlink, 0o777, 0);
            layer
                .append_link(&mut header, at.trim_start_matches('/'), target)
                .expect("a vector takes all");
        }
        layer.into_inner().expect("a vector takes all")
    }
}

/// Makes the folders above `path` that are not there yet.
fn folders(layer: &mut Builder<Vec<u8>>, made: &mut BTreeSet<PathBuf>, path: &str) {
    let path = Path::new(path.trim_start_matches('/'));
    let mut above: Vec<&Path> =
        path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
    above.reverse();
    for folder in above {
        if made.insert(folder.to_owned()) {
            let mode = if folder == Path::new("tmp") { 0o1777 } else { 0o755 };
            let mut header = header(EntryType::Directory, mode, 0);
            layer.append_data(&mut header, folder, std::io::empty()).expect("a vector takes all");
        }
    }
}

fn put(archive: &mut Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) {
    let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
    archive.append_data(&mut header, path, bytes).expect("a vector takes all");
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

/// The SHA-256 of bytes, as digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
