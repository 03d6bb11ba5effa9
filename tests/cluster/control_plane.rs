//! The control plane: etcd and the API server, controllers, scheduler, all on the lab's own address.

use std::path::{Path, PathBuf};

use crate::pki::Pki;
use crate::plan::{API_IP, POD_RANGE, POD_RANGE_6, SERVICE_RANGE, SERVICE_RANGE_6};
use crate::program::{Program, run};
use crate::tools::Tools;

/// etcd, of one process.
pub(crate) const ETCD: &str = "127.0.0.1:2379";

/// A component of the control plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Component {
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
}

/// What of it a test may choose.
#[derive(Clone, Debug)]
pub(crate) struct Flags {
    /// The length of a node's pod CIDR.
    pub(crate) node_cidr_mask: u8,
    /// Whether pods, Services and nodes have addresses of both families.
    pub(crate) dual_stack: bool,
    /// More arguments of kube-apiserver.
    pub(crate) api_server: Vec<String>,
    /// More arguments of kube-controller-manager.
    pub(crate) controller_manager: Vec<String>,
}

impl Flags {
    /// A range, with the other family's where the cluster has both.
    pub(crate) fn both(&self, one: &str, other: &str) -> String {
        if self.dual_stack { format!("{one},{other}") } else { one.to_owned() }
    }
}

/// Its programs.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    internet: Program,
    etcd: Program,
    /// Where etcd has its data.
    data: PathBuf,
    api_server: Program,
    controller_manager: Program,
    scheduler: Program,
}

impl ControlPlane {
    /// Starts all of it; controllers end where no API server answers, so `ready` has to wait for that.
    pub(crate) fn start(
        (lab, logs): (&Path, &Path),
        (tools, pki): (&Tools, &Pki),
        flags: &Flags,
        ready: impl FnOnce(),
    ) -> Self {
        let corefile = crate::tools::source("tests/cluster/files/internet.corefile");
        let internet = vec![tools.path("coredns"), "-conf".into(), corefile.display().to_string()];
        let internet = Program::start(logs, "internet", internet);
        let data = lab.join("etcd");
        let etcd = vec![
            tools.path("etcd"),
            format!("--data-dir={}", data.display()),
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
            format!("--listen-client-urls=http://{ETCD}"),
            format!("--advertise-client-urls=http://{ETCD}"),
            "--listen-peer-urls=http://127.0.0.1:2380".into(),
        ];
        let etcd = Program::start(logs, "etcd", etcd);
        let services = flags.both(SERVICE_RANGE, SERVICE_RANGE_6);
        let mut api_server = api_server(tools, pki, &services);
        api_server.extend(flags.api_server.iter().cloned());
        let api_server = Program::start(logs, "kube-apiserver", api_server);
        ready();
        let mut controllers = vec![tools.path("kube-controller-manager")];
        controllers.extend(user(pki, "controller-manager"));
        controllers.extend([
            "--use-service-account-credentials".into(),
            format!("--service-account-private-key-file={}", pki.path("accounts.key")),
            format!("--root-ca-file={}", pki.path("ca.crt")),
            format!("--service-cluster-ip-range={services}"),
            "--allocate-node-cidrs".into(),
            format!("--cluster-cidr={}", flags.both(POD_RANGE, POD_RANGE_6)),
        ]);
        if flags.dual_stack {
            controllers.push(format!("--node-cidr-mask-size-ipv4={}", flags.node_cidr_mask));
            controllers.push("--node-cidr-mask-size-ipv6=64".into());
        } else {
            controllers.push(format!("--node-cidr-mask-size={}", flags.node_cidr_mask));
        }
        controllers.extend(flags.controller_manager.iter().cloned());
        let controller_manager = Program::start(logs, "kube-controller-manager", controllers);
        let mut scheduler = vec![tools.path("kube-scheduler")];
        scheduler.extend(user(pki, "scheduler"));
        let scheduler = Program::start(logs, "kube-scheduler", scheduler);
        Self { internet, etcd, data, api_server, controller_manager, scheduler }
    }

    /// The program of a component.
    pub(crate) fn program(&self, component: Component) -> &Program {
        match component {
            Component::ApiServer => &self.api_server,
            Component::ControllerManager => &self.controller_manager,
        }
    }

    /// Copies etcd's data as they are at this moment, under a name; etcd stands still meanwhile.
    pub(crate) fn snapshot_etcd(&self, name: &str) -> Snapshot {
        let folder = self.data.with_file_name(format!("etcd-{name}"));
        self.etcd.pause();
        copy(&self.data, &folder);
        self.etcd.resume();
        Snapshot { folder }
    }

    /// Gives etcd the data of a backup, as its documentation has it: API server and etcd are stopped, and started again.
    /// What happened since never did, and its revisions come a second time. What watches by itself has to be started
    /// anew, which is the caller's, and so is the wait until the API server is ready.
    pub(crate) fn restore_etcd(&self, snapshot: &Snapshot) {
        self.api_server.kill();
        self.etcd.kill();
        run(&["rm", "-rf", &self.data.display().to_string()]);
        copy(&snapshot.folder, &self.data);
        self.etcd.start_again();
        self.api_server.start_again();
    }

    /// Starts controllers and scheduler anew, which believe in what they have seen.
    pub(crate) fn restart_controllers(&self) {
        for program in [&self.controller_manager, &self.scheduler] {
            program.kill();
            program.start_again();
        }
    }

    /// Every program.
    pub(crate) fn programs(&self) -> [&Program; 5] {
        [&self.internet, &self.etcd, &self.api_server, &self.controller_manager, &self.scheduler]
    }
}

/// A backup of etcd's data.
#[derive(Debug)]
pub(crate) struct Snapshot {
    folder: PathBuf,
}

fn copy(from: &Path, to: &Path) {
    run(&["cp", "-a", &from.display().to_string(), &to.display().to_string()]);
}

fn api_server(tools: &Tools, pki: &Pki, services: &str) -> Vec<String> {
    vec![
        tools.path("kube-apiserver"),
        format!("--etcd-servers=http://{ETCD}"),
        format!("--service-cluster-ip-range={services}"),
        format!("--advertise-address={API_IP}"),
        "--bind-address=0.0.0.0".into(),
        "--allow-privileged".into(),
        "--authorization-mode=Node,RBAC".into(),
        format!("--tls-cert-file={}", pki.path("apiserver.crt")),
        format!("--tls-private-key-file={}", pki.path("apiserver.key")),
        format!("--client-ca-file={}", pki.path("ca.crt")),
        // Without these the controllers find no configuration for requests that came through a proxy, and end.
        format!("--requestheader-client-ca-file={}", pki.path("ca.crt")),
        "--requestheader-allowed-names=front-proxy".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        format!("--kubelet-client-certificate={}", pki.path("kubelet-client.crt")),
        format!("--kubelet-client-key={}", pki.path("kubelet-client.key")),
        "--kubelet-preferred-address-types=InternalIP".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", pki.path("accounts.pub")),
        format!("--service-account-signing-key-file={}", pki.path("accounts.key")),
    ]
}

/// The arguments by which a component is a user of the API.
fn user(pki: &Pki, name: &str) -> Vec<String> {
    let file = pki.kubeconfig(name);
    let flags = ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"];
    let mut arguments: Vec<String> = flags.iter().map(|flag| format!("{flag}={file}")).collect();
    arguments.push("--leader-elect=false".into());
    arguments
}
