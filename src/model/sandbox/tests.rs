use super::*;

/// What the kubelet and containerd put before the words of a plugin.
fn containerd(words: &str) -> String {
    format!(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network \
         for sandbox \"{}\": {words}",
        "0f".repeat(32)
    )
}

/// What CRI-O does.
fn crio(words: &str) -> String {
    format!(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create pod \
         network sandbox k8s_web-0_shop_0_0({}): error adding pod shop_web-0 to CNI network \
         \"multus-cni-network\": {words}",
        "0f".repeat(32)
    )
}

/// What dockershim and cri-dockerd do.
fn docker(words: &str) -> String {
    format!(
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up sandbox \
         container \"0f\" network for pod \"web-0\": networkPlugin cni failed to set up pod \
         \"web-0_shop\" network: {words}"
    )
}

#[test]
fn what_runtimes_and_plugins_say_is_known() {
    for (of, message, class) in [
        (
            "host-local: flannel, kindnet, GKE, k3s",
            containerd(
                "plugin type=\"bridge\" failed (add): failed to allocate for range 0: no IP \
                 addresses available in range set: 10.244.2.1-10.244.2.14",
            ),
            IpExhausted,
        ),
        (
            "the same in IPv6, cut short",
            containerd("plugin type=\"ptp\" failed (add): failed to allocate for range 1:"),
            IpExhausted,
        ),
        (
            "Calico without a free block",
            containerd(
                "plugin type=\"calico\" failed (add): failed to request IPv4 addresses: Assigned 0 \
                 out of 1 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/24]",
            ),
            IpExhausted,
        ),
        (
            "Calico at its blocks of a node",
            containerd("cannot allocate new block due to per host block limit"),
            IpExhausted,
        ),
        (
            "Cilium",
            containerd(
                "plugin type=\"cilium-cni\" failed (add): unable to allocate IP via local cilium \
                 agent: [POST /ipam][502] postIpamFailure No more IPs available",
            ),
            IpExhausted,
        ),
        (
            "EKS: the subnet is full",
            containerd(
                "plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign \
                 an IP address to container",
            ),
            IpExhausted,
        ),
        (
            "EKS in its first years",
            docker("add cmd: failed to assign an IP address to container"),
            IpExhausted,
        ),
        (
            "OpenShift with whereabouts",
            crio(
                "Multus: error adding container to network \"net1\": Could not allocate IP in \
                  range: ip: 10.1.0.1 / - 10.1.0.9 / range: 10.1.0.0/28",
            ),
            IpExhausted,
        ),
        (
            "a file that a pod left behind",
            containerd(
                "plugin type=\"bridge\" failed (add): failed to allocate for range 0: 10.244.2.5 \
                 has been allocated to 0f, duplicate allocation is not allowed",
            ),
            IpDuplicate,
        ),
        (
            "host-local on a full disk",
            containerd(
                "failed to allocate for range 0: open /var/lib/cni/networks/cbr0/10.244.2.5: no \
                 space left on device",
            ),
            NotNetwork,
        ),
        (
            "no configuration yet",
            "network is not ready: container runtime network not ready: NetworkReady=false \
             reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not \
             initialized"
                .to_owned(),
            CniNotReady,
        ),
        (
            "k3d: flannel has not begun",
            containerd(
                "plugin type=\"flannel\" failed (add): loadFlannelSubnetEnv failed: open \
                 /run/flannel/subnet.env: no such file or directory",
            ),
            CniNotReady,
        ),
        (
            "calico-node is down",
            containerd(
                "plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file \
                 or directory: check that the calico/node container is running and has mounted \
                 /var/lib/calico/",
            ),
            CniNotReady,
        ),
        (
            "AKS: Cilium's agent is down",
            containerd(
                "unable to connect to Cilium daemon: failed to create cilium agent client after \
                 30.000000 seconds timeout: Get \"http:///var/run/cilium/cilium.sock/v1/config\": \
                 dial unix /var/run/cilium/cilium.sock: connect: no such file or directory",
            ),
            CniNotReady,
        ),
        (
            "aws-node is down",
            containerd(
                "plugin type=\"aws-cni\" failed (add): add cmd: Error received from AddNetwork \
                 gRPC call: rpc error: code = Unavailable",
            ),
            CniNotReady,
        ),
        (
            "OpenShift: the annotation does not come",
            crio(
                "[shop/web-0:ovn-kubernetes]: error adding container to network \
                 \"ovn-kubernetes\": CNI request failed with status 400: 'failed to get pod \
                 annotation: timed out waiting for annotations: context deadline exceeded",
            ),
            CniNotReady,
        ),
        (
            "OpenShift: the port is not bound",
            crio("failed to configure pod interface: timed out waiting for OVS port binding"),
            CniNotReady,
        ),
        (
            "k3s: plugins in another folder",
            containerd("failed to find plugin \"loopback\" in path [/opt/cni/bin]"),
            CniBinaryMissing,
        ),
        (
            "plugins of two versions",
            containerd("plugin type=\"portmap\" failed (add): incompatible CNI versions; config"),
            CniConfigInvalid,
        ),
        (
            "RKE2: the token has run out",
            containerd(
                "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection \
                 is unauthorized: Unauthorized",
            ),
            CniAuth,
        ),
        (
            "a mesh's plugin, and its token",
            containerd(
                "plugin type=\"consul-cni\" failed (add): error retrieving pod: Unauthorized",
            ),
            CniAuth,
        ),
        (
            "a bridge from before",
            containerd(
                "plugin type=\"bridge\" failed (add): failed to set bridge addr: \"cni0\" already \
                 has an IP address different from 10.244.2.1/24",
            ),
            BridgeConflict,
        ),
        (
            "Calico without a pool",
            containerd("plugin type=\"calico\" failed (add): no configured Calico pools"),
            IpamNoPool,
        ),
        (
            "Cilium takes long",
            containerd(
                "plugin type=\"cilium-cni\" failed (add): unable to create endpoint: Cilium API \
                 client timeout exceeded",
            ),
            Timeout,
        ),
        (
            "a plugin that hangs",
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context \
             deadline exceeded"
                .to_owned(),
            Timeout,
        ),
        ("a plugin without a word", docker("netplugin failed with no error message"), CniFailed),
        (
            "the registry of the pause image",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox \
             image \"k8s.gcr.io/pause:3.5\": failed to pull image: unexpected status code 403 \
             Forbidden"
                .to_owned(),
            NotNetwork,
        ),
        (
            "the try before is still under way",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve \
             sandbox name \"web-0_shop_0f_0\": name is reserved for \"0f\""
                .to_owned(),
            NotNetwork,
        ),
        (
            "no RuntimeClass",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = unable to get OCI \
             runtime for sandbox \"0f\": no runtime for \"gvisor\" is configured"
                .to_owned(),
            NotNetwork,
        ),
        (
            "sysctls that are not allowed",
            "Failed to create pod sandbox: pod is forbidden to set net.core.somaxconn".to_owned(),
            Other,
        ),
        ("nothing", String::new(), Other),
    ] {
        assert_eq!(SandboxFailure::of(&message), class, "{of}");
        let combined = format!("(combined from similar events): {}", message.to_uppercase());
        assert_eq!(SandboxFailure::of(&combined), class, "{of}, in capitals");
    }
}

#[test]
fn each_has_a_name_of_its_own_and_is_told_by_some_words() {
    let names: std::collections::BTreeSet<&str> =
        SandboxFailure::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(names.len(), SandboxFailure::ALL.len());
    for class in SandboxFailure::ALL {
        let rules = [BEFORE, ANYWHERE, OF_NETWORK, AFTER];
        let told = rules.iter().copied().flatten().any(|(told, _)| *told == class);
        assert!(told || matches!(class, CniFailed | Other), "{class:?}");
    }
}

#[test]
fn no_rule_stands_behind_one_that_takes_its_place() {
    let rules: Vec<&Rule> = [BEFORE, ANYWHERE].into_iter().flatten().collect();
    for (at, (class, pieces)) in rules.iter().enumerate() {
        let text = format!("plugin type=\"a\" failed (add): {}", pieces.join(" and "));
        assert_eq!(SandboxFailure::of(&text), *class, "rule {at}: {text}");
        assert!(pieces.iter().all(|piece| *piece == piece.to_ascii_lowercase()), "{pieces:?}");
    }
}

#[test]
fn hostile_messages_are_read_and_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: Vec<&str> = [BEFORE, ANYWHERE, OF_NETWORK, AFTER]
        .iter()
        .copied()
        .flatten()
        .flat_map(|(_, pieces)| pieces.iter().copied())
        .chain(NETWORK.iter().copied())
        .collect();
    for _ in 0..3000 {
        let mut message = String::new();
        while message.len() < random.usize(0..6000) {
            match random.u8(0..4) {
                0 => message.push_str(pieces[random.usize(0..pieces.len())]),
                1 => message.push(random.char('\0'..)),
                2 => message.push_str("\u{130}\u{1f600}{\"\\"),
                _ => (0..random.usize(0..50)).for_each(|_| message.push(random.alphanumeric())),
            }
        }
        let class = SandboxFailure::of(&message);
        assert!(SandboxFailure::ALL.contains(&class));
        // What lies beyond the bound changes nothing.
        let long = format!("{}{}", "é".repeat(MOST), message);
        assert_eq!(SandboxFailure::of(&long), Other);
    }
}
