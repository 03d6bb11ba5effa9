//! What can go wrong with a node.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Fault;
use super::rules::{self, BOTH};
use crate::node::Node;
use crate::plan::{POD_RANGE, UNDERLAY};
use crate::program::run;

/// Sources for benchmarks, which nobody has: by them the connections of `fill_conntrack` are known.
const MADE_UP: &str = "198.18.0.0/16";

/// More connections than this are not made: each takes a third of a kilobyte of the kernel's memory.
const MOST_CONNECTIONS: usize = 1 << 20;

impl Node {
    /// Takes the CNI configuration away: the runtime says that no network is initialised.
    pub(crate) fn hide_cni_config(&self) -> Fault<'_> {
        let path = self.cni_config();
        let text = read(&path);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Fault::new(move || {
            // Written, not moved: containerd 1.6 does not notice a file that was moved back.
            write(&path, &text);
        })
    }

    /// Takes a CNI plugin away: the runtime finds it no more when it makes a sandbox.
    pub(crate) fn remove_cni_binary(&self, plugin: &str) -> Fault<'_> {
        let path = self.cni_plugins().join(plugin);
        let aside = self.cni_plugins().with_file_name(plugin);
        rename(&path, &aside);
        Fault::new(move || rename(&aside, &path))
    }

    /// Adds a second CNI configuration that comes first by name: new pods are in another network than the others.
    pub(crate) fn second_cni_config(&self, subnet: &str) -> Fault<'_> {
        let path = self.cni_config().with_file_name("05-second.conflist");
        let (name, bridge) = ("second", "second0");
        let ipam = json!({"type": "host-local", "ranges": [[{"subnet": subnet}]]});
        let plugin = json!({"type": "bridge", "bridge": bridge, "isGateway": true, "ipam": ipam});
        let text = json!({"cniVersion": "1.0.0", "name": name, "plugins": [plugin]});
        write(&path, &text.to_string());
        Fault::new(move || {
            fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // containerd looks again where a file was written.
            let first = self.cni_config();
            write(&first, &read(&first));
            let _ = self.try_run(&["ip", "link", "del", bridge]);
        })
    }

    /// Unplugs it: nothing reaches it, from it, or its pods.
    pub(crate) fn isolate(&self) -> Fault<'_> {
        run(&["ip", "link", "set", &self.port(), "nomaster"]);
        Fault::new(|| {
            run(&["ip", "link", "set", &self.port(), "master", UNDERLAY]);
        })
    }

    /// Drops `percent` of what it and its pods send to another node and that one's pods.
    pub(crate) fn drop_to<'a>(&'a self, other: &Self, pod_cidr: &str, percent: u8) -> Fault<'a> {
        rules::drop(self, &BOTH, &format!("-d {}", other.ip), percent).and(rules::drop(
            self,
            &BOTH,
            &format!("-d {pod_cidr}"),
            percent,
        ))
    }

    /// Drops `percent` of what another node and that one's pods send to it and its pods; what it sends arrives.
    pub(crate) fn drop_from<'a>(&'a self, other: &Self, pod_cidr: &str, percent: u8) -> Fault<'a> {
        const ARRIVES: [&str; 2] = ["INPUT", "FORWARD"];
        let from =
            |source: &str| rules::drop(self, &ARRIVES, &format!("-i eth0 -s {source}"), percent);
        from(&other.ip).and(from(pod_cidr))
    }

    /// Gives its way to the others another MTU. It takes in no more than it sends: what is bigger vanishes before it.
    pub(crate) fn set_mtu(&self, mtu: u32) -> Fault<'_> {
        let links = self.run(&["ip", "-json", "link", "show", "eth0"]);
        let links: Value = serde_json::from_str(&links).expect("ip writes JSON");
        let was = links[0]["mtu"].to_string();
        self.run(&["ip", "link", "set", "eth0", "mtu", &mtu.to_string()]);
        Fault::new(move || {
            self.run(&["ip", "link", "set", "eth0", "mtu", &was]);
            // What was learnt of a path is believed for ten minutes, by the node and by each of its pods.
            self.run(&["ip", "route", "flush", "cache"]);
            self.run(&["ip", "-all", "netns", "exec", "ip", "route", "flush", "cache"]);
        })
    }

    /// Drops what tells a sender that its packet was too big, as careless filters of ICMP do. Where an MTU on the way
    /// is smaller, big packets then vanish without an answer.
    pub(crate) fn blackhole_icmp_too_big(&self) -> Fault<'_> {
        rules::drop(self, &BOTH, "-p icmp --icmp-type fragmentation-needed", 100)
    }

    /// Takes away its route to everything that is neither a node nor a pod.
    pub(crate) fn remove_default_route(&self) -> Fault<'_> {
        let was = self.run(&["ip", "route", "show", "default"]);
        assert!(!was.trim().is_empty(), "{} has no default route", self.name);
        self.run(&["ip", "route", "del", "default"]);
        Fault::new(move || self.route("add", was.trim()))
    }

    /// Adds a route in the words of `ip route add`.
    pub(crate) fn add_route<'a>(&'a self, route: &'a str) -> Fault<'a> {
        self.route("add", route);
        Fault::new(move || self.route("del", route))
    }

    fn route(&self, action: &str, route: &str) {
        let mut words = vec!["ip", "route", action];
        words.extend(route.split_whitespace());
        self.run(&words);
    }

    /// Restarts its kubelet with another address of the cluster's DNS: pods made from now on ask that one.
    pub(crate) fn restart_kubelet(&self, cluster_dns: &str) -> Fault<'_> {
        let path = self.kubelet_config();
        let was = read(&path);
        let line = |line: &str| match line.split_once(": ") {
            Some(("clusterDNS", _)) => format!("clusterDNS: [{cluster_dns}]\n"),
            _ => format!("{line}\n"),
        };
        let changed: String = was.lines().map(line).collect();
        assert_ne!(was, changed, "the kubelet of {} has {cluster_dns} already", self.name);
        let restart = move |text: &str| {
            write(&path, text);
            self.kubelet.kill();
            self.kubelet.start_again();
        };
        restart(&changed);
        Fault::new(move || restart(&was))
    }

    /// Fills its table of connections: packets that would begin one are dropped, those of others go on.
    ///
    /// The connections are made up, and look answered: the kernel throws out only others when it needs room.
    pub(crate) fn fill_conntrack(&self) -> Fault<'_> {
        let limit = read(Path::new("/proc/sys/net/netfilter/nf_conntrack_max"));
        let limit: usize = limit.trim().parse().expect("the kernel writes a number");
        assert!(limit <= MOST_CONNECTIONS, "nf_conntrack_max is {limit}: too many to make");
        let mut lines = String::new();
        for index in 0..=limit {
            let (port, high, low) = (1024 + (index >> 16), (index >> 8) & 255, index & 255);
            let _ = writeln!(
                lines,
                "-A -t 3600 -u SEEN_REPLY,ASSURED -p udp -s 198.18.{high}.{low} -d 198.19.0.1 --sport {port} --dport 9 \
                 -r 198.19.0.1 -q 198.18.{high}.{low} --reply-port-src 9 --reply-port-dst {port}"
            );
        }
        let file = self.cni_plugins().with_file_name("connections");
        write(&file, &lines);
        let made = self.try_run(&["conntrack", "-R", &file.display().to_string()]);
        let full = made.expect_err("there is one more than the table takes");
        assert!(full.contains("not enough memory"), "{full}");
        Fault::new(|| {
            self.run(&["conntrack", "-D", "-p", "udp", "-s", MADE_UP]);
        })
    }

    /// Breaks the way between its pods and those of other nodes; the nodes reach each other.
    pub(crate) fn break_pod_network(&self) -> Fault<'_> {
        let pods = format!("-s {POD_RANGE} -d {POD_RANGE}");
        rules::drop(self, &["FORWARD"], &format!("-i eth0 {pods}"), 100).and(rules::drop(
            self,
            &["FORWARD"],
            &format!("-o eth0 {pods}"),
            100,
        ))
    }

    /// Ends kube-proxy; what it wrote stays, and gets old.
    pub(crate) fn stop_kube_proxy(&self) -> Fault<'_> {
        self.kube_proxy.kill();
        Fault::new(|| self.kube_proxy.start_again())
    }

    /// Empties the tables of Services; kube-proxy fills them when it starts again, which undoing makes it do.
    pub(crate) fn flush_service_rules(&self) -> Fault<'_> {
        let flushed = ["KUBE-SERVICES", "KUBE-NODEPORTS"]
            .map(|chain| self.try_run(&["iptables", "-w", "-t", "nat", "-F", chain]))
            .iter()
            .any(Result::is_ok);
        let deleted = self.try_run(&["nft", "delete", "table", "ip", "kube-proxy"]).is_ok();
        assert!(flushed || deleted, "{} has no rules of kube-proxy", self.name);
        Fault::new(|| {
            self.kube_proxy.kill();
            self.kube_proxy.start_again();
        })
    }

    /// Drops what it and its pods ask of any DNS server; what others ask of a replica on it goes through.
    pub(crate) fn drop_dns(&self) -> Fault<'_> {
        let drops = ["udp", "tcp"].map(|protocol| {
            let asks = format!("-p {protocol} --dport 53");
            rules::drop(self, &["FORWARD"], &format!("! -i eth0 {asks}"), 100).and(rules::drop(
                self,
                &["OUTPUT"],
                &asks,
                100,
            ))
        });
        let [udp, tcp] = drops;
        udp.and(tcp)
    }
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
