//! A node: namespaces of its own for network, mounts and host name; containerd, kubelet and kube-proxy in them.
//!
//! Folders of the lab are mounted over the standard paths, so that all programs run with their defaults.

mod config;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

use crate::confine::{exe, word};
use crate::control_plane::Flags;
use crate::lab::{Lab, hierarchies};
use crate::pki::Pki;
use crate::plan::{API_IP, API_IP_6, UNDERLAY};
use crate::program::{Program, run, try_run};
use crate::tools::Tools;
use crate::wait::{holds, secs, until};

/// What the node's programs expect at these paths is the node's own.
const OWN: [&str; 6] =
    ["etc/cni/net.d", PLUGINS, "var/lib/cni", "var/lib/kubelet", "var/lib/containerd", "var/log"];

/// Where Debian has the CNI plugins.
const PLUGINS: &str = "usr/lib/cni";

/// The controllers in whose hierarchies the kubelet wants its root to be.
const CONTROLLERS: [&str; 9] =
    ["cpuset", "cpu", "cpuacct", "memory", "devices", "freezer", "blkio", "pids", "systemd"];

/// The weight of a cluster's pods; that of each program outside is 1024. Pods ask for little, and a machine that builds
/// another cluster meanwhile would make all of them slow: a fault that nobody made, and that is found.
const SHARES: &str = "65536";

/// What a node is made of.
pub(crate) struct Make<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) tools: &'a Tools,
    pub(crate) pki: &'a Pki,
    pub(crate) images: &'a [PathBuf],
    pub(crate) name: String,
    pub(crate) flags: &'a Flags,
    pub(crate) ip: String,
    pub(crate) ip_6: Option<String>,
    pub(crate) proxy_mode: &'a str,
    pub(crate) max_pods: u32,
}

/// A node that runs.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name in the API.
    pub(crate) name: String,
    /// Its address on the underlay.
    pub(crate) ip: String,
    /// Its address of the other family, in a cluster that has both.
    pub(crate) ip_6: Option<String>,
    folder: PathBuf,
    cgroup: String,
    /// Holds the namespaces; its id is the way in.
    holder: Child,
    pub(crate) containerd: Program,
    pub(crate) kubelet: Program,
    pub(crate) kube_proxy: Program,
}

impl Node {
    /// Starts a node; it is Ready when it has a pod CIDR and its CNI configuration.
    pub(crate) fn start(make: &Make<'_>) -> Self {
        let Make { lab, tools, pki, name, ip, ip_6, .. } = make;
        let (folder, logs) = (lab.folder().join(name), lab.logs());
        let cgroup = format!("{}/{name}", lab.cgroup());
        make_groups(&lab.cgroup(), &cgroup);
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--uts"])
            .arg(exe())
            .args([word::NODE, name, &folder.display().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("unshare: {error}"));
        let mut ready = String::new();
        let stdout = holder.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut ready).expect("a pipe can be read");
        assert_eq!(ready.trim(), "ready", "the namespaces of {name} could not be made");
        let pid = holder.id().to_string();
        let port = format!("v-{name}");
        run(&["ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        run(&["ip", "link", "set", &port, "master", UNDERLAY, "up"]);
        let enter = |argv: Vec<String>| -> Vec<String> {
            let mut words: Vec<String> = ["nsenter", "-t", &pid, "--net", "--mount", "--uts", "--"]
                .iter()
                .map(|word| (*word).to_owned())
                .collect();
            words.extend(argv);
            words
        };
        let inside =
            |argv: &[&str]| run(&enter(argv.iter().map(|word| (*word).to_owned()).collect()));
        inside(&["ip", "addr", "add", &format!("{ip}/24"), "dev", "eth0"]);
        inside(&["ip", "link", "set", "eth0", "up"]);
        inside(&["ip", "route", "add", "default", "via", API_IP]);
        let mut ips = ip.clone();
        if let Some(ip_6) = ip_6 {
            inside(&["ip", "addr", "add", &format!("{ip_6}/64"), "dev", "eth0", "nodad"]);
            inside(&["ip", "route", "add", "default", "via", API_IP_6]);
            inside(&["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"]);
            ips = format!("{ip},{ip_6}");
        }
        config::write(make, &folder, &cgroup);
        let file = |name: &str| folder.join(name).display().to_string();
        let start = |program: &str, argv: Vec<String>| {
            Program::start(&logs, &format!("{name}-{program}"), enter(argv))
        };
        let containerd =
            start("containerd", vec!["containerd".into(), "-c".into(), file("containerd.toml")]);
        until("containerd answers", secs(60), || {
            try_run(&enter(vec!["ctr".into(), "version".into()])).map(drop)
        });
        for image in make.images {
            inside(&import(&image.display().to_string()));
        }
        let kubelet = start(
            "kubelet",
            vec![
                tools.path("kubelet"),
                format!("--config={}", file("kubelet.yaml")),
                format!("--kubeconfig={}", pki.kubeconfig(name)),
                format!("--hostname-override={name}"),
                format!("--node-ip={ips}"),
            ],
        );
        let kube_proxy = start(
            "kube-proxy",
            vec![tools.path("kube-proxy"), format!("--config={}", file("kube-proxy.yaml"))],
        );
        Self {
            name: name.clone(),
            ip: ip.clone(),
            ip_6: ip_6.clone(),
            folder,
            cgroup,
            holder,
            containerd,
            kubelet,
            kube_proxy,
        }
    }

    /// Runs a program in the node's namespaces.
    ///
    /// # Errors
    ///
    /// Fails with its words when it says no.
    pub(crate) fn try_run(&self, argv: &[&str]) -> Result<String, String> {
        let pid = self.holder.id().to_string();
        let mut words = vec!["nsenter", "-t", &pid, "--net", "--mount", "--uts", "--"];
        words.extend(argv);
        try_run(&words)
    }

    /// Runs a program in the node's namespaces.
    ///
    /// # Panics
    ///
    /// Panics with its words when it says no.
    pub(crate) fn run(&self, argv: &[&str]) -> String {
        self.try_run(argv).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Takes in one more image.
    pub(crate) fn import(&self, image: &Path) {
        self.run(&import(&image.display().to_string()));
    }

    /// A pod's group in the hierarchy of a controller; none where the pod does not run here.
    pub(crate) fn pod_group(&self, controller: &str, uid: &str) -> Option<PathBuf> {
        let pods = self.cgroup(controller).join("kubepods");
        let name = format!("pod{uid}");
        let classes = [pods.join("burstable"), pods.join("besteffort"), pods];
        classes.into_iter().map(|class| class.join(&name)).find(|group| group.is_dir())
    }

    /// Runs a program in a pod's network namespace, with the lab's own files.
    ///
    /// # Errors
    ///
    /// Fails with its words when it says no, and where no such pod runs here.
    pub(crate) fn in_pod(&self, uid: &str, argv: &[&str]) -> Result<String, String> {
        let group = self.pod_group("pids", uid).ok_or("the pod does not run here")?;
        let pid = processes(&group).first().ok_or("the pod has no process")?.to_string();
        let mut words = vec!["nsenter", "-t", &pid, "--net", "--"];
        words.extend(argv);
        try_run(&words)
    }

    /// The port of the underlay that leads to it.
    pub(crate) fn port(&self) -> String {
        format!("v-{}", self.name)
    }

    /// The process in whose namespaces it lives, as numbered inside the lab.
    pub(crate) fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// Its CNI configuration.
    pub(crate) fn cni_config(&self) -> PathBuf {
        self.folder.join("etc/cni/net.d/10-bridge.conflist")
    }

    /// Its CNI plugins: a folder of its own, with links to the machine's.
    pub(crate) fn cni_plugins(&self) -> PathBuf {
        self.folder.join(PLUGINS)
    }

    /// The configuration of its kubelet.
    pub(crate) fn kubelet_config(&self) -> PathBuf {
        self.folder.join("kubelet.yaml")
    }

    /// Its group in the hierarchy of a controller.
    pub(crate) fn cgroup(&self, controller: &str) -> PathBuf {
        Path::new("/sys/fs/cgroup").join(controller).join(&self.cgroup)
    }

    /// Writes the CNI configuration for pod CIDRs, as a CNI's own DaemonSet would.
    pub(crate) fn write_cni_config(&self, pod_cidrs: &[String]) {
        let ranges: Vec<Value> = pod_cidrs.iter().map(|cidr| json!([{"subnet": cidr}])).collect();
        let routes: Vec<Value> = pod_cidrs
            .iter()
            .map(|cidr| json!({"dst": if cidr.contains(':') { "::/0" } else { "0.0.0.0/0" }}))
            .collect();
        let text = json!({
            "cniVersion": "1.0.0",
            "name": "testbed",
            "plugins": [
                {
                    "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
                    "ipam": {
                        "type": "host-local",
                        "ranges": ranges,
                        "routes": routes,
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": true}},
            ],
        });
        let path = self.cni_config();
        fs::write(&path, text.to_string())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Its programs.
    pub(crate) fn programs(&self) -> [&Program; 3] {
        [&self.containerd, &self.kubelet, &self.kube_proxy]
    }

    /// Ends all of it at once, its pods too, as a power cut would.
    pub(crate) fn cut_power(&self) {
        let _ = try_run(&["ip", "link", "del", &self.port()]);
        self.end_processes();
    }

    /// Ends its programs and pods, and starts the programs again, as after a restart.
    pub(crate) fn start_anew(&self) {
        self.end_processes();
        self.containerd.start_again();
        until("containerd answers", secs(60), || self.try_run(&["ctr", "version"]).map(drop));
        // Again and again, as systemd would: containerd takes a kubelet later than it answers `ctr`.
        until("the kubelet is healthy", secs(60), || {
            if let Some(ended) = self.kubelet.ended() {
                self.kubelet.kill();
                self.kubelet.start_again();
                return Err(ended);
            }
            self.kubelet.start_again();
            self.try_run(&["timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/10248"])
                .map(drop)
        });
        self.kube_proxy.start_again();
    }

    fn end_processes(&self) {
        for program in self.programs() {
            program.kill();
        }
        let group = self.cgroup("pids");
        until("the node's processes end", secs(30), || {
            let pids = processes(&group);
            for pid in &pids {
                let pid = nix::unistd::Pid::from_raw(*pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            holds(pids.is_empty(), || format!("{pids:?}"))
        });
    }
}

/// The command by which a node takes in an image.
fn import(image: &str) -> [&str; 6] {
    ["ctr", "-n", "k8s.io", "images", "import", image]
}

/// The processes of a group and those below it.
pub(crate) fn processes(group: &Path) -> Vec<i32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.extend(processes(&entry.path()));
        }
    }
    all
}

/// The first process of a node: makes its namespaces what they shall be, and holds them until the lab ends.
pub(crate) fn hold(name: &str, folder: &str) -> ExitCode {
    match prepare(name, Path::new(folder)) {
        Ok(()) => println!("ready"),
        Err(error) => {
            println!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    let mut bytes = [0; 8];
    while std::io::stdin().read(&mut bytes).is_ok_and(|read| read > 0) {}
    ExitCode::SUCCESS
}

fn prepare(name: &str, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const NONE: Option<&str> = None;
    // Once more than `unshare` did: what is shared below must not reach the lab's own mounts.
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SHARED, NONE)?;
    nix::unistd::sethostname(name)?;
    link_plugins(folder)?;
    for own in OWN {
        let (here, there) = (folder.join(own), Path::new("/").join(own));
        fs::create_dir_all(&here)?;
        fs::create_dir_all(&there)?;
        mount(Some(&here), &there, NONE, MsFlags::MS_BIND, NONE)?;
    }
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), NONE)?;
    fs::create_dir_all("/run/lock")?;
    fs::create_dir_all("/run/netns")?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    run(&["ip", "link", "set", "lo", "up"]);
    Ok(())
}

/// Gives the node the machine's CNI plugins as links of its own: one that is taken away is missing here only.
fn link_plugins(folder: &Path) -> std::io::Result<()> {
    let own = folder.join(PLUGINS);
    fs::create_dir_all(&own)?;
    for plugin in fs::read_dir(Path::new("/").join(PLUGINS))? {
        let plugin = plugin?;
        let (from, to) = (plugin.path(), own.join(plugin.file_name()));
        // A folder for temporary files may be on another file system.
        fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))?;
    }
    Ok(())
}

/// Version 1 of control groups: the kubelet does not make its own root, and wants it in every hierarchy.
fn make_groups(lab: &str, node: &str) {
    for hierarchy in hierarchies() {
        let name = hierarchy.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !CONTROLLERS.contains(&name) {
            continue;
        }
        let group = hierarchy.join(node);
        fs::create_dir_all(&group).unwrap_or_else(|error| panic!("{}: {error}", group.display()));
        if name == "cpuset" {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let value = fs::read(hierarchy.join(file)).expect("the root group has all");
                for group in [lab, node] {
                    fs::write(hierarchy.join(group).join(file), &value).expect("root may set it");
                }
            }
        }
        if name == "cpu" {
            let file = hierarchy.join(lab).join("cpu.shares");
            fs::write(file, SHARES).expect("root may set it");
        }
    }
}
