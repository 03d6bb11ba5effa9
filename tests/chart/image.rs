//! The image: an engine and the test bed, which has none, make the same of the Containerfile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tar::Archive;
use tempfile::TempDir;

use crate::containerfile::{ARCHITECTURE, Containerfile};
use crate::helm::run;
use crate::image::{Image, hex};

const CONTAINERFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/image/Containerfile");

/// An image as it is in an archive: its configuration, and its files by path with mode and digest.
#[derive(Debug)]
struct Shipped {
    config: Value,
    files: BTreeMap<String, (u32, String)>,
}

impl Shipped {
    fn read(archive: &Path) -> Self {
        let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for entry in Archive::new(File::open(archive).expect("the archive")).entries().expect("tar")
        {
            let mut entry = entry.expect("tar");
            let path = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("tar");
            parts.insert(path, bytes);
        }
        let json = |path: &str| -> Value { serde_json::from_slice(&parts[path]).expect("JSON") };
        let manifest = &json("manifest.json")[0];
        let mut files = BTreeMap::new();
        for layer in manifest["Layers"].as_array().expect("layers") {
            let layer = parts[layer.as_str().expect("a path")].as_slice();
            for entry in Archive::new(layer).entries().expect("tar") {
                let mut entry = entry.expect("tar");
                let path = entry.path().expect("a path").display().to_string();
                let mode = entry.header().mode().expect("a mode") & 0o7777;
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("tar");
                files.insert(path, (mode, hex(&bytes)));
            }
        }
        Self { config: json(manifest["Config"].as_str().expect("a path")), files }
    }
}

/// A stand-in for the binary: what is compared is how it is packed.
fn context(folder: &TempDir) -> std::path::PathBuf {
    let binary = folder.path().join("context").join(ARCHITECTURE).join("netvitals");
    fs::create_dir_all(binary.parent().expect("a folder")).expect("a temporary folder");
    match std::env::var_os("NETVITALS_BINARY").filter(|path| Path::new(path).exists()) {
        Some(shipped) => drop(fs::copy(shipped, &binary).expect("the binary can be copied")),
        None => fs::write(&binary, "a binary").expect("a temporary folder"),
    }
    binary
}

#[test]
fn an_engine_and_the_test_bed_make_the_same_image() {
    let folder = TempDir::new().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let binary = context(&folder);
    let (root, runroot) = (format!("--root={}", at("store")), format!("--runroot={}", at("run")));
    let buildah = |args: &[&str]| {
        let common = [&*root, &*runroot, "--storage-driver=vfs"];
        let said = run("buildah", &[&common, args].concat());
        said.unwrap_or_else(|error| panic!("{error}: needs root and `make tools`"))
    };
    let archive = format!("docker-archive:{}", at("engine.tar"));
    buildah(&["bud", "--isolation=chroot", "--file", CONTAINERFILE, "--tag=image", &at("context")]);
    buildah(&["push", "image", &archive]);

    let engine = Shipped::read(Path::new(&at("engine.tar")));
    let own = Shipped::read(&Image::shipped("example/netvitals:1", &binary).write(folder.path()));
    assert_eq!(engine.files, own.files);
    let bytes = fs::read(&binary).expect("the binary");
    assert_eq!(own.files, BTreeMap::from([("netvitals".to_owned(), (0o755, hex(&bytes)))]));
    for key in ["architecture", "os"] {
        assert_eq!(engine.config[key], own.config[key], "{key}");
    }
    let mut engine = engine.config["config"].clone();
    // An engine's own: its version, and a search path for programs that are not there.
    engine["Labels"].as_object_mut().expect("labels").remove("io.buildah.version");
    engine.as_object_mut().expect("a configuration").remove("Env");
    assert_eq!(engine, own.config["config"]);
}

#[test]
fn the_image_has_the_version_and_a_user_without_rights() {
    let config = Containerfile::shipped().config;
    let labels = &config["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], env!("CARGO_PKG_LICENSE"));
    assert_eq!(labels["org.opencontainers.image.description"], env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(config["User"], "65532:65532");
}
