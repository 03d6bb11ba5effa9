//! What can go wrong with a node.

use std::fs;

use super::Fault;
use super::rules::{self, BOTH};
use crate::node::Node;
use crate::plan::{POD_RANGE, UNDERLAY};
use crate::program::run;

impl Node {
    /// Takes the CNI configuration away: the runtime says that no network is initialised.
    pub(crate) fn hide_cni_config(&self) -> Fault<'_> {
        let path = self.cni_config();
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Fault::new(move || {
            // Written, not moved: containerd 1.6 does not notice a file that was moved back.
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
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
