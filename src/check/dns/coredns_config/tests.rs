//! Corefiles as distributions install them, as people have broken them, and as they cannot be seen.

use std::fs;

use super::*;
use crate::cluster::Event;
use crate::fixtures::says::{asks, row};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    ConfigMap, Dns, DnsPath, Item, Key, Mount, Observation, Protocol, Service, ServicePort,
    Skipped, TargetPort,
};

/// A Corefile whose block for all names has `plugins`, one a line.
fn block(plugins: &str) -> String {
    let plugins = plugins.replace("; ", "\n    ");
    format!(".:53 {{\n    {plugins}\n}}\n")
}

/// What a cluster needs, without `left_out`, and with `more`.
fn plain(left_out: &[&str], more: &str) -> String {
    let all = [
        "errors",
        "health",
        "ready",
        "kubernetes cluster.local in-addr.arpa ip6.arpa",
        "forward . /etc/resolv.conf",
        "cache 30",
        "loop",
        "reload",
    ];
    let is_left = |line: &&str| !left_out.iter().any(|it| line.starts_with(it));
    let lines: Vec<&str> = all.into_iter().filter(is_left).chain([more]).collect();
    block(lines.join("; ").trim_end_matches("; "))
}

/// What an agent says of queries in a domain.
fn says(domain: &str, attempts: u64, failures: u64) -> Observation {
    let said = asks([row(DnsPath::Resolver, attempts, failures)]);
    let dns = Dns { domain: Some(domain.into()), ..said.dns().expect("DNS").clone() };
    Observation { dns: Some(dns.into()), ..said }
}

fn with_domain(facts: Cluster, domain: &str, attempts: u64, failures: u64) -> Cluster {
    facts.hears("a", says(domain, attempts, failures))
}

/// A cluster whose domain is `cluster.local`, and whose queries fail.
fn facts(corefile: &str) -> Cluster {
    with_domain(cluster().coredns().corefile(corefile), "cluster.local", 30, 30)
        .with(Event::Put(Key::new("kube-system", "kube-dns"), dns_service()))
}

fn dns_service() -> Service {
    let port = ServicePort {
        name: "dns".into(),
        port: 53,
        protocol: Protocol::Udp,
        target: TargetPort::Number(53),
    };
    Service {
        selector: [("app", "kube-dns")].into(),
        routed: true,
        addresses: vec!["10.96.0.10".parse().unwrap()],
        ports: vec![port],
        ..Service::default()
    }
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Returns `code: message` of each finding, the check's and the object's name left out.
fn found(facts: &Cluster) -> Vec<String> {
    let answer = ask(facts);
    assert_eq!(answer.result, Ok(()));
    let short = |it: &String| {
        let it = it.strip_prefix("coredns_config.").expect("its own");
        it.replace(" ConfigMap kube-system/coredns:", ":")
    };
    answer.findings.iter().map(short).collect()
}

/// Returns the codes of what is found.
fn codes(facts: &Cluster) -> Vec<String> {
    let code = |it: String| it.split(':').next().unwrap_or_default().to_owned();
    found(facts).into_iter().map(code).collect()
}

#[test]
fn what_distributions_install_gives_notes_at_most() {
    let mut seen = 0;
    for entry in fs::read_dir("tests/corefiles/installed").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let port = if name == "openshift" { 5353 } else { 53 };
        let mut service = dns_service();
        service.ports[0].target = TargetPort::Number(port);
        let key = Key::new("kube-system", "kube-dns");
        let facts = facts(&text).with(Event::Put(key, service));
        let expected: &[&str] =
            if ["aks", "k3s", "openshift"].contains(&&*name) { &["notes"] } else { &[] };
        assert_eq!(codes(&facts), expected, "{name}: {:?}", found(&facts));
        assert_eq!(ask(&facts).gaps, [], "{name}");
        // Nor while nobody knows the domain.
        let silent = cluster().coredns().corefile(&text);
        assert_eq!(codes(&silent), expected, "{name}: {:?}", found(&silent));
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn what_people_have_broken_is_found() {
    let custom = |plain: &str, key: &str, text: &str| {
        facts(plain).config_map::<3>("coredns-custom", &[(key, text)])
    };
    let own = plain(&[], "import custom/*.override") + "import custom/*.server\n";
    for (facts, expected) in [
        // The stub of systemd, or a cache on the node, in the place of a server outside.
        (
            facts(&plain(&["forward"], "forward . 127.0.0.1")),
            "loop: line 9 of Corefile forwards . to 127.0.0.1, which is CoreDNS itself",
        ),
        (facts(&plain(&["forward"], "forward . [::1]:53")), "loop: "),
        (facts(&plain(&["forward"], "forward . 192.0.2.1 10.96.0.10")), "loop: "),
        (facts(&plain(&["forward"], "forward . dns://10.244.1.7")), "loop: "),
        (facts(&plain(&["forward"], "forward . 169.254.20.10")), "node_cache: "),
        // An override that says once more what is there.
        (
            custom(&own, "a.override", "forward . 192.0.2.1"),
            "forward_twice: line 1 of a.override forwards . once more, after line 6 of Corefile",
        ),
        (
            custom(&own, "b.override", "hosts {\n 192.0.2.1 a.example\n}\nhosts {\n}"),
            "refused: line 4 of b.override: a server block may have hosts once",
        ),
        (
            custom(&own, "c.override", "kubernetes cluster.local {\n endpoint_pod_names\n}"),
            "refused: line 1 of c.override: a server block may have kubernetes once",
        ),
        (
            custom(&own, "d.server", ". {\n hosts {\n }\n}"),
            "refused: line 1 of d.server: . is served already, by line 1 of Corefile",
        ),
        (
            custom(&own, "e.server", "cluster.local {\n forward . 192.0.2.1\n}"),
            "cluster_zone: names of the cluster end with cluster.local, and the server block cluster.local takes them, and has no plugin kubernetes for them",
        ),
        (
            custom(&own, "f.server", "corp.example {\n forward . 10.96.0.10\n}"),
            "loop: line 2 of f.server",
        ),
        (
            custom(&own, "g.server", "corp.example {\n forward . 192.0.2.1"),
            "refused: line 2 of g.server: the file ends",
        ),
        (
            custom(&own, "h.override", ".:53 {\n forward . 192.0.2.1\n}"),
            "refused: line 1 of h.override: .:53 is no plugin: a zone may not stand within a server block",
        ),
        (
            facts(&plain(&["errors"], "errors{\n}")),
            "refused: line 9 of Corefile: errors{ is no plugin",
        ),
        (
            facts(&plain(&["kubernetes"], "kubernetes cluster.local{; pods insecure")),
            "refused: line 10 of Corefile: pods is a property and no plugin",
        ),
        (
            facts(&plain(&["forward"], "forword . 192.0.2.1")),
            "notes: it has forword, which CoreDNS itself has not",
        ),
        // Left out by hand.
        (facts(&plain(&["reload"], "")), "reload: it has no reload"),
        (facts(&plain(&["ready", "cache"], "")), "lacks: it has no cache, ready"),
        (facts(&plain(&["forward"], "")), "external: the server block for . has no forward"),
        (facts(&plain(&["loop", "errors"], "")), "notes: it has no loop, no errors"),
        (facts(&plain(&[], "log")), "notes: it has a log of each query"),
        (
            facts(&plain(&[], "autopath @kubernetes; rewrite name a b")),
            "notes: it has autopath, rewrite",
        ),
        (
            facts(&plain(&["kubernetes"], "kubernetes cluster.local {\n pods verified\n}")),
            "notes: it has pods verified",
        ),
        // Answers that outlive what they say.
        (
            facts(&plain(&["cache"], "cache 3600 {\n denial 9984 3600 3600\n}")),
            "kept_long: answers for names of the cluster are kept for 3,600 s",
        ),
        (facts(&plain(&["kubernetes"], "kubernetes cluster.local {\n ttl 900\n}")), "kept_long: "),
        // The domain of the kubelet is another.
        (
            facts(&plain(&["kubernetes"], "kubernetes k8s.example in-addr.arpa")),
            "cluster_zone: names of the cluster end with cluster.local, and the plugin kubernetes of the server block .:53 answers for k8s.example in their place",
        ),
        (
            facts(&plain(&["kubernetes"], "")),
            "cluster_zone: names of the cluster end with cluster.local, and the server block .:53 takes them, and has no plugin kubernetes",
        ),
        (
            facts(&plain(&[], "").replace(":53", ":1053")),
            "cluster_zone: names of the cluster end with cluster.local, and no server block takes them",
        ),
        (
            facts(&plain(&[], "").replace('}', "")),
            "refused: line 9 of Corefile: the file ends where more has to come",
        ),
        (facts(""), "cluster_zone: "),
    ] {
        let found = found(&facts);
        assert!(found.first().is_some_and(|it| it.starts_with(expected)), "{expected}: {found:?}");
        let all = codes(&facts);
        let external = all.get(1).is_some_and(|it| it == "external");
        assert!(all.len() == 1 || external, "{expected}: {found:?}");
    }
}

#[test]
fn what_only_looks_broken_is_not() {
    for text in [
        // Servers of the cloud, at addresses of the link.
        plain(&["forward"], "forward . 169.254.169.253"),
        plain(&["forward"], "forward . 169.254.169.254"),
        // Another server in the pod, or another block of this one.
        plain(&["forward"], "forward . 127.0.0.1:5300"),
        plain(&["forward"], "forward . 127.0.0.1:5301")
            + ".:5301 {\n forward . tls://192.0.2.1 {\n  tls_servername dns.example\n }\n}\n",
        // The block of these names is another.
        plain(&[], "forward cluster.example 10.96.0.10") + "cluster.example {\n file a.db\n}\n",
        // kubernetes keeps them to itself.
        plain(&[], "")
            + "svc.cluster.local {\n kubernetes cluster.local\n forward . 10.96.0.10\n}\n",
        // Two blocks for a zone, each for some who ask, or on an address of its own.
        plain(&[], "") + ".:53 {\n view v {\n  expr false\n }\n forward . 192.0.2.1\n}\n",
        plain(&[], "bind 10.0.0.1") + ".:53 {\n bind 10.0.0.2\n forward . 192.0.2.1\n}\n",
        // Names outside come from another plugin.
        plain(&["forward"], "file /etc/coredns/a.db ."),
        // What the first leaves out is for the second, and what it does not find.
        plain(&["forward"], "forward . 192.0.2.1 {\n except corp.example\n}; forward . 192.0.2.2"),
        plain(&["forward"], "forward . 192.0.2.1 {\n next NXDOMAIN\n}; forward . 192.0.2.2"),
        plain(&[], "forward corp.example 192.0.2.1"),
        plain(&["cache"], "cache 3600"),
        plain(&["cache"], "cache 30 {\n denial 9984 3600 3600\n disable denial cluster.local\n}"),
        plain(&[], "log . {\n class error\n}"),
    ] {
        let found = found(&facts(&text));
        assert_eq!(found, [""; 0], "{text}");
    }
}

#[test]
fn of_one_code_there_is_one_finding() {
    let text = plain(&["forward"], "forward . 127.0.0.1 [::1] 10.96.0.10");
    assert_eq!(codes(&facts(&text)), ["loop"]);
}

#[test]
fn cluster_names_that_are_answered_nevertheless_page_nobody() {
    let text = plain(&["kubernetes"], "");
    let said = |attempts, failures| {
        let facts =
            with_domain(cluster().coredns().corefile(&text), "cluster.local", attempts, failures);
        codes(&facts)
    };
    assert_eq!(said(30, 0), ["unclaimed"]);
    assert_eq!(said(30, 1), ["cluster_zone"]);
    assert_eq!(said(19, 0), ["cluster_zone"]);
}

#[test]
fn agents_that_differ_leave_the_domain_to_the_corefile() {
    let text = plain(&["kubernetes"], "kubernetes k8s.example");
    let one = with_domain(cluster().coredns().corefile(&text), "cluster.local", 30, 30);
    assert_eq!(codes(&one), ["cluster_zone"]);
    let other = says("k8s.example", 30, 30);
    assert_eq!(codes(&one.hears("b", other)), [""; 0]);
}

#[test]
fn what_cannot_be_seen_is_a_gap_and_no_finding() {
    for text in [
        // Files that no ConfigMap of a known name has.
        ".:53 {\n import /etc/other/*.override\n}\n".to_owned(),
        plain(&["reload", "ready", "loop"], "import /etc/other/*.override"),
        "import /etc/other/Corefile\n".to_owned(),
        plain(&["kubernetes", "forward"], "import {$MORE}"),
        plain(&["kubernetes"], "{$PLUGIN} cluster.local"),
        plain(&["kubernetes"], "").replace(".:53", "{$ZONE}"),
    ] {
        let answer = ask(&facts(&text));
        assert_eq!(answer.findings, [""; 0], "{text}");
        let part = answer.gaps.iter().map(|(part, _)| *part).collect::<Vec<_>>();
        assert_eq!(part, ["imports"], "{text}");
    }
    // A zone of the environment is whatever pods have.
    assert_eq!(codes(&facts(&plain(&["kubernetes"], "kubernetes {$DOMAIN}"))), [""; 0]);
    // A ConfigMap that is mounted and is not there has no files.
    let imports = plain(&["reload"], "import custom/*.override");
    assert_eq!(codes(&facts(&imports)), ["reload"]);
    let forbidden = facts(&imports).unlisted::<ConfigMap<3>>();
    assert_eq!(codes(&forbidden), [""; 0]);
}

#[test]
fn where_the_corefile_is_comes_from_the_pods() {
    let at = |path: &str, name: &str| Mount {
        path: path.into(),
        config_map: name.into(),
        ..Mount::default()
    };
    let bare = || cluster().service("kube-system/kube-dns");
    let told = |mounts: Vec<Mount>, conf: Option<&str>| {
        bare().coredns_with("kube-system/kube-dns-1", |mounted| {
            mounted.mounts = mounts.clone().into();
            mounted.conf = conf.map(Into::into);
        })
    };
    let unread = Err(Unknown::Unread(
        "the Corefile of the DNS pods, which is in no ConfigMap of a known name,",
    )
    .into());
    let skipped = Err(Skipped::NotApplicable.into());
    // One that is left over says nothing of pods that read another.
    let broken = |facts: Cluster| facts.corefile("broken {");
    let dns_default = ("dns-default", [("Corefile", &*plain(&[], ""))]);
    let openshift =
        broken(told(vec![at("/etc/coredns", "dns-default")], Some("/etc/coredns/Corefile")))
            .config_map::<1>(dns_default.0, &dns_default.1);
    assert_eq!(codes(&openshift), [""; 0]);
    assert!(ask(&openshift).result.is_ok());
    let unknown = broken(told(vec![at("/etc/coredns", "my-dns")], Some("/etc/coredns/Corefile")));
    assert_eq!(ask(&unknown).result, unread);
    let baked = broken(told(Vec::new(), Some("/Corefile")));
    assert_eq!(ask(&baked).result, unread);
    assert_eq!(ask(&cluster().coredns()).result, unread, "the ConfigMap is not there");
    let other_key = cluster().coredns().config_map::<0>("coredns", &[("corefile", ".")]);
    assert_eq!(ask(&other_key).result, unread);
    // kube-dns, and what is no pod at all.
    let kube_dns = broken(told(vec![at("/kube-dns-config", "kube-dns")], None));
    assert_eq!(ask(&kube_dns).result, skipped);
    assert_eq!(ask(&broken(bare())).result, skipped);
    let without_port = broken(bare().pod("kube-system/kube-dns-1"));
    assert!(matches!(ask(&without_port).result, Err(Unanswered::Unknown(Unknown::NotFound(_)))));
    let large = cluster().coredns().corefile(&"#".repeat(70_000));
    assert!(matches!(ask(&large).result, Err(Unanswered::Unknown(Unknown::Unread(_)))));
    let undecoded = cluster().coredns().undecoded::<ConfigMap<0>>("kube-system/coredns");
    assert!(matches!(ask(&undecoded).result, Err(Unanswered::Unknown(Unknown::Undecoded(_)))));
    let unlisted = cluster().coredns().corefile(".").unlisted::<ConfigMap<0>>();
    assert!(matches!(ask(&unlisted).result, Err(Unanswered::Unknown(Unknown::NotListed(_)))));
}

#[test]
fn the_caches_on_nodes_begin_and_do_not_ask_themselves() {
    let installed = fs::read_to_string("tests/corefiles/odd/node-local").unwrap();
    let caches = |text: &str| {
        let mount = Mount {
            path: "/etc/coredns".into(),
            config_map: "node-local-dns".into(),
            items: Some([Item { key: "Corefile".into(), path: "Corefile.base".into() }].into()),
            ..Mount::default()
        };
        let facts =
            facts(&plain(&[], "")).coredns_with("kube-system/node-local-dns-1", |mounted| {
                mounted.mounts = [mount].into();
                mounted.conf = Some("/etc/Corefile".into());
            });
        let facts = facts.config_map::<4>("node-local-dns", &[("Corefile", text)]);
        let answer = ask(&facts);
        assert_eq!((answer.result, answer.gaps), (Ok(()), Vec::new()));
        answer.findings
    };
    assert_eq!(caches(&installed), [""; 0]);
    let upstream = "__PILLAR__UPSTREAM__SERVERS__";
    let asks = |server: &str| caches(&installed.replace(upstream, server));
    // In the mode of iptables it has the address of the Service itself.
    for server in ["10.96.0.10", "169.254.20.10"] {
        let found = asks(server);
        assert_eq!(found.len(), 1, "{found:?}");
        let expected = "coredns_config.loop ConfigMap kube-system/node-local-dns: line 22 of";
        assert!(found[0].starts_with(expected), "{found:?}");
    }
    assert_eq!(asks("10.96.0.11"), [""; 0]);
    let refused = caches("cluster.local:53 {\n errors\n");
    assert!(refused[0].starts_with("coredns_config.refused ConfigMap kube-system/node-local-dns"));
}

#[test]
fn the_finding_is_about_the_config_map_and_the_statement_counts() {
    let answer = ask(&facts(&plain(&["reload"], "")));
    let expected = "coredns_config.reload ConfigMap kube-system/coredns: it has no reload: look at \
                    whether the pods are older than what it says";
    assert_eq!(answer.findings, [expected]);
    assert_eq!(codes(&facts(&plain(&[], ""))), [""; 0]);
}
