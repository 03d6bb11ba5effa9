//! The API server as tests see it: plain JSON, by a client that waits for the answer.

use std::time::Duration;

use axum::http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// No answer within this is a failure.
const DEADLINE: Duration = Duration::from_secs(15);

/// A client with the rights of an administrator.
pub(crate) struct Api {
    runtime: Runtime,
    client: Client,
}

impl Api {
    /// A client by the kubeconfig at `path`.
    pub(crate) fn by(path: &str) -> Self {
        let runtime = runtime();
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(path).expect("the lab wrote it");
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            Client::try_from(config.expect("the lab wrote it")).expect("the lab wrote it")
        });
        Self { runtime, client }
    }

    /// Asks.
    ///
    /// # Errors
    ///
    /// Fails with the API's words.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder().method(&method).uri(path).header("content-type", kind);
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(body).map_err(|error| error.to_string())?;
        let answer =
            self.runtime.block_on(async { timeout(DEADLINE, self.client.request(request)).await });
        match answer {
            Ok(answer) => answer.map_err(|error| format!("{method} {path}: {error}")),
            Err(_) => Err(format!("{method} {path}: no answer in {} s", DEADLINE.as_secs())),
        }
    }

    /// Whether the API server has all that it needs, its own roles too; else what is missing.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let request =
            Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
        let answer = self
            .runtime
            .block_on(async { timeout(DEADLINE, self.client.request_text(request)).await });
        let text =
            answer.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
        if text == "ok" { Ok(()) } else { Err(text) }
    }

    /// Returns an object.
    ///
    /// # Errors
    ///
    /// Fails with the API's words.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, None)
    }

    /// Returns the objects of a list.
    ///
    /// # Errors
    ///
    /// Fails with the API's words.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>, String> {
        match self.get(path)?["items"].take() {
            Value::Array(items) => Ok(items),
            other => Err(format!("{path} is no list: {other}")),
        }
    }

    /// Makes an object.
    ///
    /// # Panics
    ///
    /// Panics with the API's words.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        self.ask(Method::POST, path, Some(object)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Changes an object by a merge patch.
    ///
    /// # Panics
    ///
    /// Panics with the API's words.
    pub(crate) fn patch(&self, path: &str, patch: &Value) -> Value {
        self.ask(Method::PATCH, path, Some(patch)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Deletes an object, at once where `now`.
    ///
    /// # Panics
    ///
    /// Panics with the API's words, except that it is gone.
    pub(crate) fn delete(&self, path: &str, now: bool) {
        let options = if now { "?gracePeriodSeconds=0" } else { "" };
        let answer = self.ask(Method::DELETE, &format!("{path}{options}"), None);
        if let Err(error) = answer {
            assert!(error.contains("NotFound") || error.contains("not found"), "{error}");
        }
    }
}

/// A runtime for what a test waits for.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// The status of an object's condition, empty where it has none of that type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let found = items(&object["status"]["conditions"]).iter().find(|it| it["type"] == kind);
    found.and_then(|condition| condition["status"].as_str()).unwrap_or_default()
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The items of a list; none where it is no list.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
