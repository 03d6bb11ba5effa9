//! An ingress data plane: nginx, configured as an ingress controller would, its address published in the status.
//!
//! What is covered: hosts, paths (a prefix may end within an element), the default backend, Services by the name or the
//! number of a port, endpoints that are ready as of the last `sync`. No TLS, no classes: every Ingress is its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::api::{self, items};
use crate::cluster::Cluster;
use crate::plan::INGRESS_IP;
use crate::program::{Program, run};
use crate::wait::{secs, undo, until};
use crate::web;

/// A proxy that runs. Dropped, it is gone, and so is its address.
pub(crate) struct IngressProxy<'a> {
    cluster: &'a Cluster,
    program: Program,
    config: PathBuf,
}

impl Cluster {
    /// Starts a proxy for every Ingress.
    pub(crate) fn ingress_proxy(&self) -> IngressProxy<'_> {
        run(&["ip", "addr", "add", &format!("{INGRESS_IP}/32"), "dev", "lo"]);
        let folder = self.lab.folder().join("ingress");
        fs::create_dir_all(&folder).expect("the lab's folder can be written");
        let config = folder.join("nginx.conf");
        fs::write(&config, self.nginx()).expect("the lab's folder can be written");
        let argv = words(&config, &["-g", "daemon off;"]);
        let program = Program::start(&self.lab.logs(), "nginx", argv);
        let proxy = IngressProxy { cluster: self, program, config };
        let address = format!("{INGRESS_IP}:80");
        until("the proxy listens", secs(30), || web::get(&address, "/").map(drop));
        self.publish(&json!([{"ip": INGRESS_IP}]));
        proxy
    }

    /// Writes addresses into the status of every Ingress.
    fn publish(&self, addresses: &Value) {
        for ingress in self.listed("/apis/networking.k8s.io/v1/ingresses") {
            let namespace = ingress["metadata"]["namespace"].as_str().unwrap_or_default();
            let name = api::name(&ingress);
            let path = format!(
                "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}/status"
            );
            let status = json!({"status": {"loadBalancer": {"ingress": addresses}}});
            self.api().patch(&path, &status);
        }
    }

    fn listed(&self, path: &str) -> Vec<Value> {
        self.api().list(path).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What nginx shall do for the Ingresses, Services and EndpointSlices that there are.
    fn nginx(&self) -> String {
        let folder = self.lab.folder().join("ingress");
        let mut hosts: BTreeMap<String, String> = BTreeMap::new();
        hosts.insert(String::new(), String::new());
        let mut upstreams = BTreeMap::new();
        for ingress in self.listed("/apis/networking.k8s.io/v1/ingresses") {
            let namespace = ingress["metadata"]["namespace"].as_str().unwrap_or_default();
            let mut location = |host: &str, at: &str, backend: &Value| {
                let service = &backend["service"];
                let endpoints = self.endpoints(namespace, service);
                let name = format!("{namespace}-{}", service["name"].as_str().unwrap_or_default());
                let action = if endpoints.is_empty() {
                    "return 503;".to_owned()
                } else {
                    upstreams.insert(name.clone(), endpoints);
                    format!("proxy_pass http://{name};")
                };
                let locations = hosts.entry(host.to_owned()).or_default();
                let _ = writeln!(locations, "    location {at} {{ {action} }}");
            };
            let spec = &ingress["spec"];
            if spec["defaultBackend"].is_object() {
                location("", "/", &spec["defaultBackend"]);
            }
            for rule in items(&spec["rules"]) {
                for path in items(&rule["http"]["paths"]) {
                    let exact = if path["pathType"] == "Exact" { "= " } else { "" };
                    let at = format!("{exact}{}", path["path"].as_str().unwrap_or("/"));
                    location(rule["host"].as_str().unwrap_or_default(), &at, &path["backend"]);
                }
            }
        }
        let mut text = String::from(
            "user root;\nworker_processes 1;\npid nginx.pid;\nevents {}\nhttp {\n  access_log off;\n",
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "  {kind}_temp_path {};", folder.join(kind).display());
        }
        text.push_str("  proxy_connect_timeout 2s;\n  proxy_set_header Host $host;\n");
        for (name, endpoints) in upstreams {
            let servers: String =
                endpoints.iter().map(|endpoint| format!(" server {endpoint};")).collect();
            let _ = writeln!(text, "  upstream {name} {{{servers} }}");
        }
        for (host, locations) in hosts {
            // Who asks for a host that nobody has comes to the default one.
            let (default, name) =
                if host.is_empty() { (" default_server", "_") } else { ("", host.as_str()) };
            let _ = writeln!(
                text,
                "  server {{\n    listen {INGRESS_IP}:80{default};\n    server_name {name};\n{locations}"
            );
            if !locations.contains("location / ") {
                text.push_str("    location / { return 404; }\n");
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
        text
    }

    /// The ready endpoints of a backend's Service, as address and port.
    fn endpoints(&self, namespace: &str, service: &Value) -> Vec<String> {
        let name = service["name"].as_str().unwrap_or_default();
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
        // A Service that is not there has none.
        let Ok(object) = self.api().get(&path) else { return Vec::new() };
        let wanted = &service["port"];
        let port = items(&object["spec"]["ports"]).iter().find(|port| {
            port["port"] == wanted["number"]
                || (wanted["name"].is_string() && port["name"] == wanted["name"])
        });
        let Some(port) = port else { return Vec::new() };
        let named = port["name"].as_str().unwrap_or_default();
        let slices = self.listed(&format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices\
             ?labelSelector=kubernetes.io%2Fservice-name%3D{name}"
        ));
        let mut all = Vec::new();
        for slice in slices.iter().filter(|slice| slice["addressType"] == "IPv4") {
            let mut ports = items(&slice["ports"]).iter();
            let port = ports.find(|port| port["name"].as_str().unwrap_or_default() == named);
            let Some(port) = port else { continue };
            let ready =
                items(&slice["endpoints"]).iter().filter(|one| one["conditions"]["ready"] == true);
            let addresses = ready.flat_map(|endpoint| items(&endpoint["addresses"]));
            all.extend(
                addresses.filter_map(Value::as_str).map(|ip| format!("{ip}:{}", port["port"])),
            );
        }
        all
    }
}

impl IngressProxy<'_> {
    /// Follows what has changed since.
    pub(crate) fn sync(&self) {
        fs::write(&self.config, self.cluster.nginx()).expect("the lab's folder can be written");
        run(&words(&self.config, &["-s", "reload"]));
        self.cluster.publish(&json!([{"ip": INGRESS_IP}]));
    }
}

impl Drop for IngressProxy<'_> {
    fn drop(&mut self) {
        undo(|| self.cluster.publish(&Value::Null));
        undo(|| {
            // Killed, it would leave its worker.
            run(&words(&self.config, &["-s", "stop"]));
            until("the proxy has ended", secs(30), || {
                self.program.ended().map(drop).ok_or_else(|| "it runs".to_owned())
            });
        });
        undo(|| {
            run(&["ip", "addr", "del", &format!("{INGRESS_IP}/32"), "dev", "lo"]);
        });
    }
}

/// The words that call nginx with a configuration; all its files are beside that.
fn words(config: &Path, more: &[&str]) -> Vec<String> {
    let folder = config.parent().expect("it is in a folder").display().to_string();
    let config = config.display().to_string();
    let words = ["nginx", "-p", &folder, "-c", &config, "-e", "stderr"];
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}
