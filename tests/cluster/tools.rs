//! Where the programs of the test bed are, and the images made of them.

use std::env;
use std::path::{Path, PathBuf};

use crate::image::{Image, entrypoint, shell};
use crate::program::run;

/// The names of the images, as manifests write them.
pub(crate) mod image {
    pub(crate) const PAUSE: &str = "docker.io/testbed/pause:1";
    pub(crate) const COREDNS: &str = "docker.io/testbed/coredns:1";
    pub(crate) const BUSYBOX: &str = "docker.io/testbed/busybox:1";
    pub(crate) const POLICY_ENGINE: &str = "docker.io/testbed/kube-network-policies:1";
    /// As the container runtime completes the name in the chart.
    pub(crate) const NETVITALS: &str =
        concat!("docker.io/netvitals/netvitals:", env!("CARGO_PKG_VERSION"));
}

/// The programs of busybox that workloads use.
const APPLETS: &[&str] = &[
    "sh", "cat", "chroot", "echo", "grep", "httpd", "ip", "ls", "nc", "nslookup", "ping", "sed",
    "sleep", "true", "wc",
];

/// The folders with the built programs.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// Asks the script that builds them; a moment when they are built.
    pub(crate) fn find() -> Self {
        let script = source("tests/tools/build").display().to_string();
        Self { folders: run(&[script]).lines().map(PathBuf::from).collect() }
    }

    /// The path of a program.
    ///
    /// # Panics
    ///
    /// Panics when no folder has it.
    pub(crate) fn path(&self, program: &str) -> String {
        let found =
            self.folders.iter().map(|folder| folder.join(program)).find(|path| path.exists());
        found
            .unwrap_or_else(|| panic!("no {program} in {:?}: run `make tools`", self.folders))
            .display()
            .to_string()
    }

    /// The search path that has them all.
    pub(crate) fn search_path(&self) -> String {
        let mut all: Vec<String> =
            self.folders.iter().map(|folder| folder.display().to_string()).collect();
        all.extend(env::var("PATH"));
        all.join(":")
    }

    /// Makes the images in `folder`; netvitals' own where its binary is there.
    pub(crate) fn images(&self, folder: &Path) -> Vec<PathBuf> {
        std::fs::create_dir_all(folder).expect("the lab's folder can be written");
        let pause = folder.join("pause");
        let source = source("tests/cluster/files/pause.c").display().to_string();
        run(&["gcc", "-static", "-Os", "-s", "-o", &pause.display().to_string(), &source]);
        let mut images = vec![
            Image {
                name: image::PAUSE,
                config: entrypoint(&["/pause"]),
                programs: vec![(pause, "/pause".into())],
                links: Vec::new(),
            },
            Image {
                name: image::BUSYBOX,
                config: shell(),
                programs: vec![(PathBuf::from("/bin/busybox"), "/bin/busybox".into())],
                links: APPLETS.iter().map(|applet| ("busybox", format!("/bin/{applet}"))).collect(),
            },
        ];
        if let Some(binary) = netvitals() {
            images.push(Image::shipped(image::NETVITALS, &binary));
        }
        let mut files: Vec<PathBuf> = images.iter().map(|image| image.write(folder)).collect();
        files.push(self.image_of("coredns", image::COREDNS, folder));
        files
    }

    /// Makes an image in `folder` that holds one of the programs, and runs it.
    pub(crate) fn image_of(&self, program: &str, name: &'static str, folder: &Path) -> PathBuf {
        let inside = format!("/{program}");
        let programs = vec![(PathBuf::from(self.path(program)), inside.clone())];
        Image { name, config: entrypoint(&[&inside]), programs, links: Vec::new() }.write(folder)
    }
}

/// The static binary that `make image` made, named by `NETVITALS_BINARY`.
pub(crate) fn netvitals() -> Option<PathBuf> {
    let named = env::var_os("NETVITALS_BINARY")?;
    let path = source(Path::new(&named));
    path.exists().then_some(path)
}

/// A path in the checkout.
pub(crate) fn source(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
