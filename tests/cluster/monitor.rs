//! A real Prometheus in the lab: it finds netvitals' pods by the API, as shipped.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::program::{Program, run};
use crate::tools::source;
use crate::wait::{holds, secs, until};
use crate::web;

/// A Prometheus that runs.
#[derive(Debug)]
pub(crate) struct Monitor {
    program: Program,
    address: String,
}

/// What a Prometheus is to do.
pub(crate) struct Watch<'a> {
    /// Where it listens on loopback.
    pub(crate) port: u16,
    /// Between scrapes, and between evaluations of rules that say nothing else.
    pub(crate) interval: &'a str,
    /// The text of a file of rules.
    pub(crate) rules: &'a str,
    /// Its jobs, without credentials.
    pub(crate) jobs: Vec<Value>,
}

impl Monitor {
    /// Starts one with the jobs that are shipped for those without an operator, at a quick pace.
    pub(crate) fn start(cluster: &Cluster, rules: &str) -> Self {
        let file = source("deploy/prometheus/scrape-configs.yaml");
        let text = fs::read_to_string(&file);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let shipped: Value = serde_saphyr::from_str(&text).expect("the shipped jobs are YAML");
        let jobs = shipped["scrape_configs"].as_array().expect("jobs").clone();
        Self::start_with(cluster, Watch { port: 9090, interval: "5s", rules, jobs })
    }

    /// Starts one.
    pub(crate) fn start_with(cluster: &Cluster, watch: Watch<'_>) -> Self {
        let name = format!("prometheus-{}", watch.port);
        let folder = cluster.lab.folder().join(&name);
        fs::create_dir_all(&folder).expect("the lab's folder can be written");
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).expect("the lab's folder can be written");
            path.display().to_string()
        };
        let rules = write("rules.yaml", watch.rules);
        run(&[cluster.tools.path("promtool").as_str(), "check", "rules", &rules]);
        let mut jobs = watch.jobs;
        for discovery in
            jobs.iter_mut().flat_map(|job| job["kubernetes_sd_configs"].as_array_mut()).flatten()
        {
            discovery["kubeconfig_file"] = cluster.kubeconfig().into();
        }
        let interval = watch.interval;
        let config = json!({
            "global": {
                "scrape_interval": interval, "scrape_timeout": "4s", "evaluation_interval": interval,
            },
            "rule_files": [rules],
            "scrape_configs": jobs,
            // It may come later, or never.
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [crate::alertmanager::ADDRESS]}]}]},
        });
        let config = write("prometheus.yaml", &config.to_string());
        let address = format!("127.0.0.1:{}", watch.port);
        let argv = vec![
            cluster.tools.path("prometheus"),
            format!("--config.file={config}"),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".into(),
        ];
        let program = Program::start(&cluster.lab.logs(), &name, argv);
        until("Prometheus is ready", secs(60), || web::body(&address, "/-/ready").map(drop));
        Self { program, address }
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

    /// The moments, a step apart, at which an expression has a value.
    ///
    /// # Errors
    ///
    /// Fails with Prometheus' words.
    pub(crate) fn range(
        &self,
        expression: &str,
        from: Duration,
        to: Duration,
        step: Duration,
    ) -> Result<Vec<f64>, String> {
        let answer = self.get(&format!(
            "/api/v1/query_range?query={}&start={:.3}&end={:.3}&step={}",
            web::escaped(expression),
            from.as_secs_f64(),
            to.as_secs_f64(),
            step.as_secs()
        ))?;
        let result = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        let values = result.iter().filter_map(|series| series["values"].as_array()).flatten();
        Ok(values.filter_map(|value| value[0].as_f64()).collect())
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
        let body = web::body(&self.address, path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }
}
