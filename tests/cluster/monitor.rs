//! A real Prometheus in the lab: it finds netvitals' pods by the API, as a PodMonitor would make it.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::program::{Program, run};
use crate::wait::{holds, secs, until};
use crate::web;

const ADDRESS: &str = "127.0.0.1:9090";

/// A Prometheus that runs.
#[derive(Debug)]
pub(crate) struct Monitor {
    program: Program,
}

impl Monitor {
    /// Starts it, with the rules in `rules` (the text of a file of rules).
    pub(crate) fn start(cluster: &Cluster, rules: &str) -> Self {
        let folder = cluster.lab.folder().join("prometheus");
        fs::create_dir_all(&folder).expect("the lab's folder can be written");
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).expect("the lab's folder can be written");
            path.display().to_string()
        };
        let rules = write("rules.yaml", rules);
        run(&[cluster.tools.path("promtool").as_str(), "check", "rules", &rules]);
        let kubeconfig = cluster.kubeconfig();
        // It may come later, or never.
        let alertmanager = crate::alertmanager::ADDRESS;
        // What an operator makes of a PodMonitor with `honorLabels: true`.
        let config = format!(
            r#"global: {{scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}}
rule_files: ["{rules}"]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
- job_name: netvitals
  honor_labels: true
  kubernetes_sd_configs:
  - {{role: pod, kubeconfig_file: "{kubeconfig}", namespaces: {{names: [netvitals]}}}}
  relabel_configs:
  - {{source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], regex: netvitals, action: keep}}
  - {{source_labels: [__meta_kubernetes_pod_container_port_name], regex: http, action: keep}}
  - {{source_labels: [__meta_kubernetes_pod_phase], regex: (Failed|Succeeded), action: drop}}
  - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}
  - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}
  - {{source_labels: [__meta_kubernetes_pod_container_name], target_label: container}}
  - {{source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component], regex: (.+), replacement: "netvitals-$1", target_label: job}}
  - {{target_label: endpoint, replacement: http}}
"#
        );
        let config = write("prometheus.yaml", &config);
        let argv = vec![
            cluster.tools.path("prometheus"),
            format!("--config.file={config}"),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={ADDRESS}"),
            "--log.level=warn".into(),
        ];
        let program = Program::start(&cluster.lab.logs(), "prometheus", argv);
        until("Prometheus is ready", secs(60), || web::body(ADDRESS, "/-/ready").map(drop));
        Self { program }
    }

    /// The samples of an expression now: labels and value.
    ///
    /// # Errors
    ///
    /// Fails with Prometheus' words.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>, String> {
        let answer = self.answer(expression)?;
        let result = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        let value = |sample: &Value| sample["value"][1].as_str().and_then(|text| text.parse().ok());
        Ok(result
            .iter()
            .filter_map(|sample| Some((sample["metric"].clone(), value(sample)?)))
            .collect())
    }

    /// The whole answer to an expression now, with Prometheus' warnings.
    ///
    /// # Errors
    ///
    /// Fails with Prometheus' words.
    pub(crate) fn answer(&self, expression: &str) -> Result<Value, String> {
        self.get(&format!("/api/v1/query?query={}", web::escaped(expression)))
    }

    /// The alerts that fire, each by name and labels.
    ///
    /// # Errors
    ///
    /// Fails with Prometheus' words.
    pub(crate) fn firing(&self) -> Result<Vec<(String, Value)>, String> {
        let answer = self.get("/api/v1/alerts")?;
        let alerts = answer["data"]["alerts"].as_array().ok_or_else(|| answer.to_string())?;
        Ok(alerts
            .iter()
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let name = alert["labels"]["alertname"].as_str().unwrap_or_default();
                (name.to_owned(), alert.clone())
            })
            .collect())
    }

    /// Waits until an alert fires whose labels and annotations `fits` accepts, and returns it.
    pub(crate) fn fires(
        &self,
        name: &str,
        within: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        until(&format!("{name} fires"), within, || {
            let firing = self.firing()?;
            let found = firing.iter().find(|(firing, alert)| firing == name && fits(alert));
            let names: Vec<&str> = firing.iter().map(|(name, _)| name.as_str()).collect();
            found.map(|(_, alert)| alert.clone()).ok_or_else(|| format!("firing: {names:?}"))
        })
    }

    /// Waits until an alert of that name fires no more.
    pub(crate) fn resolves(&self, name: &str, within: Duration) {
        until(&format!("{name} resolves"), within, || {
            let firing = self.firing()?;
            let left: Vec<&Value> = firing
                .iter()
                .filter(|(firing, _)| firing == name)
                .map(|(_, alert)| alert)
                .collect();
            holds(left.is_empty(), || format!("{left:?}"))
        });
    }

    /// Waits until every target is up, and there are `count`.
    pub(crate) fn targets_up(&self, count: usize, within: Duration) {
        until("every target of Prometheus is up", within, || {
            let up = self.query("up")?;
            let down: Vec<&Value> =
                up.iter().filter(|(_, value)| *value != 1.0).map(|(labels, _)| labels).collect();
            holds(up.len() == count && down.is_empty(), || {
                format!("{} of {count} targets, down: {down:?}", up.len())
            })
        });
    }

    /// Says that it ended, if it did.
    pub(crate) fn ended(&self) -> Option<String> {
        self.program.ended()
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let body = web::body(ADDRESS, path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }
}
