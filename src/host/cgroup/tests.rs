use std::fs;
use std::io::Write;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::model::Vantage;
use crate::page::{Format, write};

const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

const V2: &str = "usage_usec 5000000\nuser_usec 1\nnr_periods 200\nnr_throttled 168\n\
                  throttled_usec 2500000\nnr_bursts 0\n";

const V1: &str = "nr_periods 114\nnr_throttled 107\nthrottled_time 11300000000\n";

/// A node whose files are written by the test.
struct Node {
    folder: TempDir,
}

impl Node {
    fn new() -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap() };
        node.file("proc", "0::/\n")
    }

    fn v2() -> Self {
        Self::new().file("root/cgroup.controllers", "cpu memory\n")
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A pod of version 2 in `group`.
    fn pod(self, group: &str) -> Self {
        self.file(&format!("root/{group}/cpu.stat"), V2)
            .file(&format!("root/{group}/cpu.max"), "2000 100000\n")
    }

    fn cgroups(&self) -> Cgroups {
        let agent = Agent { node: "n1".into(), vantage: Vantage::Host };
        let own = self.folder.path().join("proc");
        Cgroups { own, ..Cgroups::new(agent, self.folder.path().join("root")) }
    }

    /// Reads the pod once, and returns its sample.
    fn sample(&self) -> Result<Sample, String> {
        let cgroups = self.cgroups();
        cgroups.read(Some(&plan(&[UID])), Instant::now())?;
        let known = cgroups.lock();
        Ok(known.groups.as_ref().unwrap()[&(UID.into(), String::new())].samples[0].1)
    }
}

fn seen(cgroups: &Cgroups) -> Vec<Cpu> {
    match cgroups.observe() {
        Group::Read(read) => read,
        other => panic!("{other:?}"),
    }
}

fn plan(uids: &[&str]) -> Vec<PodPlan> {
    let pod = |uid: &&str| PodPlan {
        pod: Key::new("kube-system", format!("coredns-{}", &uid[..2])),
        uid: (*uid).into(),
        containers: Vec::new(),
    };
    uids.iter().map(pod).collect()
}

#[test]
fn every_driver_and_class_and_root_is_found() {
    let dashes = UID.replace('-', "_");
    for group in [
        format!("kubepods/burstable/pod{UID}"),
        format!("kubepods/pod{UID}"),
        format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{dashes}.slice"),
        format!("kubepods.slice/kubepods-pod{dashes}.slice"),
        format!(
            "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
             kubelet-kubepods-besteffort-pod{dashes}.slice"
        ),
        format!("testbed/n2/kubepods/besteffort/pod{UID}"),
    ] {
        let node = Node::v2()
            .file("root/system.slice/a.service/cpu.stat", "")
            .file("root/kubepods/burstable/podffffffff/cpu.stat", V2)
            .pod(&group);
        let sample = node.sample().unwrap_or_else(|error| panic!("{group}: {error}"));
        assert_eq!((sample.periods, sample.throttled), (200, 168), "{group}");
        assert_eq!(sample.throttled_time, Duration::from_millis(2500));
        assert_eq!((sample.usage, sample.limited), (Duration::from_secs(5), true));
    }
}

#[test]
fn a_pod_from_a_file_of_the_kubelet_is_found_by_its_hash() {
    let hash = "0123456789abcdef0123456789abcdef";
    for group in [
        format!("kubepods/burstable/pod{hash}"),
        format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{hash}.slice"),
    ] {
        let cgroups = Node::v2().pod(&group);
        let cgroups = cgroups.cgroups();
        cgroups.read(Some(&plan(&[hash])), Instant::now()).unwrap();
        assert_eq!(seen(&cgroups).len(), 1, "{group}");
    }
}

#[test]
fn version_1_has_its_files_in_two_places_and_its_times_in_nanoseconds() {
    for (cpu, usage) in [("cpu", "cpuacct"), ("cpu,cpuacct", "cpu,cpuacct")] {
        let pod = format!("kubepods/burstable/pod{UID}");
        let node = Node::new()
            .file(&format!("root/{cpu}/{pod}/cpu.stat"), V1)
            .file(&format!("root/{cpu}/{pod}/cpu.cfs_quota_us"), "2000\n")
            .file(&format!("root/{usage}/{pod}/cpuacct.usage"), "4000000000\n");
        let sample = node.sample().unwrap();
        assert_eq!((sample.periods, sample.throttled, sample.limited), (114, 107, true));
        assert_eq!(sample.throttled_time, Duration::from_millis(11_300));
        assert_eq!(sample.usage, Duration::from_secs(4));
    }
}

#[test]
fn no_limit_is_told_from_no_throttling() {
    let pod = format!("kubepods/pod{UID}");
    let v2 = Node::v2().pod(&pod).file(&format!("root/{pod}/cpu.max"), "max 100000\n");
    assert!(!v2.sample().unwrap().limited);
    let off = Node::v2().file(&format!("root/{pod}/cpu.stat"), "usage_usec 7\n");
    let sample = off.sample().unwrap();
    assert_eq!((sample.periods, sample.limited), (0, false), "the controller is off");
    let v1 = Node::new()
        .file(&format!("root/cpu/{pod}/cpu.stat"), V1)
        .file(&format!("root/cpu/{pod}/cpu.cfs_quota_us"), "-1\n")
        .file(&format!("root/cpuacct/{pod}/cpuacct.usage"), "1\n");
    assert!(!v1.sample().unwrap().limited);
}

#[test]
fn the_own_root_is_where_the_agents_own_pod_is() {
    let group = |node| format!("cpu/testbed/{node}/kubepods/besteffort/pod{UID}");
    let usage = |node| format!("cpuacct/testbed/{node}/kubepods/besteffort/pod{UID}");
    let node = Node::new()
        .file(&format!("root/{}/cpu.stat", group("n1")), "nr_periods 1\n")
        .file(&format!("root/{}/cpuacct.usage", usage("n1")), "1\n")
        .file(&format!("root/{}/cpu.stat", group("n2")), "nr_periods 2\n")
        .file(&format!("root/{}/cpuacct.usage", usage("n2")), "1\n")
        .file("proc", "4:memory:/testbed/n3/kubepods/pod1\n1:cpu:/testbed/n2/kubepods/pod1/7\n");
    assert_eq!(node.sample().unwrap().periods, 2);
    // A path that says nothing of this mount.
    let node = node.file("proc", "1:cpu:/../../kubepods/pod1\n");
    assert_eq!(node.sample().unwrap().periods, 1, "the first of all");
}

#[test]
fn what_is_absent_is_said_and_hides_nothing_else() {
    let error = |node: &Node| node.sample().unwrap_err();
    assert!(error(&Node::new()).ends_with("root: No such file or directory (os error 2)"));
    let empty = Node::new().file("root/memory/tasks", "");
    assert!(error(&empty).ends_with("root: no cpu controller is mounted there"));
    let half = Node::new().file("root/cpu/kubepods/tasks", "");
    assert!(error(&half).ends_with("root: no cpuacct controller is mounted there"));
    let foreign = Node::v2().file("root/system.slice/cpu.stat", "");
    assert!(error(&foreign).ends_with("root: no kubepods group is there"));
    assert_eq!(foreign.cgroups().observe(), Group::Unreadable(Unreadable::NoPlan), "not read yet");
    let cgroups = foreign.cgroups();
    cgroups.read(None, Instant::now()).unwrap_err();
    assert_eq!(cgroups.observe(), Group::Unreadable(Unreadable::NoCgroups));

    let other = "1f8fad5b-d9cb-469f-a165-70867728950e";
    let cgroups = Node::v2().pod(&format!("kubepods/pod{other}"));
    let cgroups = (cgroups.cgroups(), cgroups);
    let absent = cgroups.0.read(Some(&plan(&[UID, other])), Instant::now()).unwrap();
    let error = "pod kube-system/coredns-0f has no control group with cpu.stat";
    assert_eq!(none(&absent).unwrap_err(), error);
    let missing: Vec<bool> = seen(&cgroups.0).iter().map(|it| it.missing).collect();
    assert_eq!(missing, [true, false]);
    assert_eq!(none(&[]), Ok(()));
}

#[test]
fn what_is_not_found_is_searched_for_once_a_minute() {
    let late = "1f8fad5b-d9cb-469f-a165-70867728950e";
    let node = Node::v2().pod(&format!("kubepods/pod{UID}"));
    let (cgroups, start) = (node.cgroups(), Instant::now());
    let read = |after| cgroups.read(Some(&plan(&[UID, late])), start + after).unwrap().len();
    assert_eq!(read(Duration::ZERO), 1);
    let _node = node.pod(&format!("late/kubepods/pod{late}"));
    assert_eq!(read(SEARCH - INTERVAL), 1, "not yet");
    assert_eq!(read(SEARCH), 0);
    let unit = (UID.into(), String::new());
    let samples = cgroups.lock().groups.as_ref().unwrap()[&unit].samples.len();
    assert_eq!(samples, 3, "and nothing of the other pod is forgotten");

    let empty = Node::v2();
    let cgroups = empty.cgroups();
    let read = |after| cgroups.read(Some(&plan(&[UID])), start + after).is_ok();
    assert!(!read(Duration::ZERO));
    let _node = empty.pod(&format!("kubepods/pod{UID}"));
    assert!(!read(SEARCH - INTERVAL));
    assert!(read(SEARCH));
}

#[test]
fn what_was_read_last_is_there_while_the_next_is_read() {
    let group = format!("kubepods/pod{UID}");
    let node = Node::v2().pod(&group);
    let cgroups = node.cgroups();
    cgroups.read(Some(&plan(&[UID])), Instant::now()).unwrap();
    let stat = node.folder.path().join("root").join(group).join("cpu.stat");
    fs::remove_file(&stat).unwrap();
    mkfifo(&stat, Mode::S_IRWXU).unwrap();
    let reading = {
        let cgroups = cgroups.clone();
        std::thread::spawn(move || cgroups.read(Some(&plan(&[UID])), Instant::now()))
    };
    // It opens once the other end is read.
    let mut writer = fs::OpenOptions::new().write(true).open(&stat).unwrap();
    assert_eq!(seen(&cgroups).len(), 1);
    assert!(write(&[&cgroups.rows()], Format::Text).contains("cpu_periods_total{"));
    writer.write_all(V2.as_bytes()).unwrap();
    drop(writer);
    assert_eq!(reading.join().unwrap(), Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_last_two_minutes_are_observed_and_the_kernels_counts_exported() {
    let group = format!("kubepods/pod{UID}");
    let stat = |node: Node, periods: u64| {
        let stat = format!("usage_usec 1500000\nnr_periods {periods}\nnr_throttled 5\n");
        node.file(&format!("root/{group}/cpu.stat"), &stat)
    };
    let mut node = Node::v2().pod(&group);
    let cgroups = node.cgroups();
    for round in 0..100 {
        node = stat(node, 1000 + 2 * round);
        cgroups.read(Some(&plan(&[UID])), Instant::now()).unwrap();
        tokio::time::advance(INTERVAL).await;
    }
    let cpu = &seen(&cgroups)[0];
    assert_eq!((cpu.length, cpu.periods, cpu.throttled), (WINDOW, 120, 0));
    let page = write(&[&cgroups.rows()], Format::Text);
    for line in [
        r#"periods_total{node="n1",vantage="host",namespace="kube-system",pod="coredns-0f",container=""} 1198"#,
        r#"usage_seconds_total{node="n1",vantage="host",namespace="kube-system",pod="coredns-0f",container=""} 1.5"#,
    ] {
        assert!(page.contains(&format!("netvitals_coredns_cpu_{line}")), "{page}");
    }

    // The group was made anew: what was counted before is another's.
    node = stat(node, 3);
    cgroups.read(Some(&plan(&[UID])), Instant::now()).unwrap();
    assert_eq!(seen(&cgroups)[0].periods, 0);
    drop(node);
    cgroups.read(Some(&plan(&[UID])), Instant::now()).unwrap_err();
    assert_eq!(cgroups.observe(), Group::Unreadable(Unreadable::NoCgroups));
}

/// The containers of `cgroup-trees.txt`, beside a pod of their own.
fn with_containers(containers: &[(&str, &str, bool)]) -> Vec<PodPlan> {
    let container = |(name, id, dns): &(&str, &str, bool)| ContainerPlan {
        name: (*name).into(),
        id: (*id).into(),
        dns: *dns,
    };
    let mut plan = plan(&[UID]);
    plan[0].containers = containers.iter().map(container).collect();
    plan
}

/// What was read, by container: whether it is missing, its periods, those throttled, its limit.
fn counted(node: &Node, plan: &[PodPlan]) -> Vec<(String, bool, u64, u64, bool)> {
    let cgroups = node.cgroups();
    let now = Instant::now();
    cgroups.read(Some(plan), now).unwrap();
    let known = cgroups.lock();
    let groups = known.groups.as_ref().unwrap().values();
    groups
        .map(|it| {
            let sample = it.samples.back().map(|(_, sample)| *sample).unwrap_or_default();
            let Sample { periods, throttled, limited, .. } = sample;
            (it.container.to_string(), it.samples.is_empty(), periods, throttled, limited)
        })
        .collect()
}

const THROTTLED: &str = "usage_usec 900000000\nnr_periods 9000\nnr_throttled 8100\n";

#[test]
fn a_container_is_read_beside_one_without_a_limit() {
    let dashes = UID.replace('-', "_");
    let pod =
        format!("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{dashes}.slice");
    let group = |node: Node, group: &str, stat: &str, quota: &str| {
        node.file(&format!("root/{group}/cpu.stat"), stat)
            .file(&format!("root/{group}/cpu.max"), &format!("{quota} 100000\n"))
    };
    let idle = "usage_usec 900000000\nnr_periods 0\nnr_throttled 0\n";
    let node = group(Node::v2(), &pod, idle, "max");
    let node = group(node, &format!("{pod}/cri-containerd-aaaaaaaa.scope"), THROTTLED, "10000");
    let node = group(node, &format!("{pod}/cri-containerd-bbbbbbbb.scope"), idle, "max");
    let plan = with_containers(&[("sidecar", "bbbbbbbb", false), ("coredns", "aaaaaaaa", true)]);
    assert_eq!(
        counted(&node, &plan),
        [
            (String::new(), false, 0, 0, false),
            ("coredns".into(), false, 9000, 8100, true),
            ("sidecar".into(), false, 0, 0, false),
        ]
    );
}

#[test]
fn a_container_is_found_however_its_runtime_calls_it_and_wherever_it_puts_it() {
    let dashes = UID.replace('-', "_");
    let systemd = format!("kubepods.slice/kubepods-pod{dashes}.slice");
    let id = "79fedb3b";
    for (pod, container) in [
        (systemd.clone(), format!("{systemd}/cri-containerd-{id}.scope")),
        (systemd.clone(), format!("{systemd}/crio-{id}.scope")),
        (systemd.clone(), format!("{systemd}/docker-{id}.scope")),
        (format!("kubepods/pod{UID}"), format!("kubepods/pod{UID}/{id}")),
        (format!("kubepods/pod{UID}"), format!("kubepods/pod{UID}/crio-{id}")),
        // The drivers of kubelet and runtime differ.
        (
            systemd.clone(),
            format!(
                "system.slice/containerd.service/kubepods-burstable-pod{dashes}.slice\
                 :cri-containerd:{id}"
            ),
        ),
        (systemd.clone(), format!("kubepods-burstable-pod{dashes}.slice:cri-containerd:{id}")),
        (systemd.clone(), format!("user.slice/libpod-{id}.scope")),
    ] {
        let node = Node::v2()
            .file(&format!("root/{pod}/cpu.stat"), "usage_usec 0\nnr_periods 0\n")
            .file(&format!("root/{pod}/cpu.max"), "10000 100000\n")
            .file(&format!("root/{pod}/crio-conmon-{id}.scope/cpu.stat"), "usage_usec 7\n")
            .file(&format!("root/{container}/cpu.stat"), THROTTLED)
            .file(&format!("root/{container}/cpu.max"), "10000 100000\n");
        let plan = with_containers(&[("coredns", id, true)]);
        assert_eq!(
            counted(&node, &plan),
            [(String::new(), false, 0, 0, true), ("coredns".into(), false, 9000, 8100, true)],
            "{container}"
        );
    }
}

#[test]
fn a_container_that_is_not_found_is_said_to_be_missing() {
    let group = format!("kubepods/pod{UID}");
    let node = Node::v2().pod(&group);
    let plan = with_containers(&[("coredns", "79fedb3b", true)]);
    let missing = ("coredns".to_owned(), true, 0, 0, false);
    assert_eq!(counted(&node, &plan), [(String::new(), false, 200, 168, true), missing]);
    let cgroups = node.cgroups();
    let absent = cgroups.read(Some(&plan), Instant::now()).unwrap();
    assert_eq!(
        none(&absent).unwrap_err(),
        "container coredns of pod kube-system/coredns-0f has no control group with cpu.stat"
    );
    assert!(seen(&cgroups).iter().any(|it| it.missing && it.dns));
    // Without an own group of the pod the container counts alone.
    let node = Node::v2()
        .file("root/kubepods/tasks", "")
        .file("root/elsewhere.slice/cri-containerd-79fedb3b.scope/cpu.stat", THROTTLED);
    assert_eq!(counted(&node, &plan), [("coredns".to_owned(), false, 9000, 8100, false)]);
}

#[test]
fn the_whole_pod_is_not_exported_beside_its_containers() {
    let group = format!("kubepods/pod{UID}");
    let node = Node::v2().pod(&group).pod(&format!("{group}/79fedb3b"));
    let cgroups = node.cgroups();
    cgroups.read(Some(&with_containers(&[("coredns", "79fedb3b", true)])), Instant::now()).unwrap();
    let page = write(&[&cgroups.rows()], Format::Text);
    assert!(page.contains(r#"cpu_periods_total{node="n1",vantage="host",namespace="kube-system",pod="coredns-0f",container="coredns"} 200"#), "{page}");
    assert!(!page.contains(r#"container="""#), "{page}");
}

#[test]
fn without_a_plan_it_is_not_known_which_pods_there_are() {
    let cgroups = Node::v2().pod(&format!("kubepods/pod{UID}"));
    let cgroups = (cgroups.cgroups(), cgroups);
    cgroups.0.read(None, Instant::now()).unwrap();
    assert_eq!(cgroups.0.observe(), Group::Unreadable(Unreadable::NoPlan));
    cgroups.0.read(Some(&[]), Instant::now()).unwrap();
    assert_eq!(seen(&cgroups.0), []);
}
