//! Images without a registry: one layer with static programs, as `ctr images import` takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// An image to be made.
pub(crate) struct Image {
    /// Its whole name with the tag, as manifests write it.
    pub(crate) name: &'static str,
    /// Its entrypoint.
    pub(crate) entrypoint: &'static [&'static str],
    /// Static programs: from here, to there.
    pub(crate) programs: Vec<(PathBuf, &'static str)>,
    /// Symbolic links: what they lead to, and where they are.
    pub(crate) links: Vec<(&'static str, String)>,
}

impl Image {
    /// Writes it as a tar into `folder`, and returns its path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let layer = self.layer();
        let digest = hex(&layer);
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Entrypoint": self.entrypoint, "Env": ["PATH=/bin"], "WorkingDir": "/" },
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
        folders(&mut layer, &mut made, "/tmp/any");
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

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
