use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, InitialListStrategy, watcher};
use kube::{Api as Client, Config};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

fn pod(name: &str) -> Value {
    json!({ "kind": "Pod", "metadata": { "namespace": "shop", "name": name } })
}

fn api(pods: &[&str]) -> Api {
    let api = Api::new(CancellationToken::new());
    for name in pods {
        api.put(pod(name)).unwrap();
    }
    api
}

fn client(api: &Api) -> Client<Pod> {
    Client::all(kube::Client::new(api.routes(), "default"))
}

/// The next event in a word, without bookkeeping.
async fn next(events: &mut (impl Stream<Item = watcher::Result<Event<Pod>>> + Unpin)) -> String {
    let name = |pod: Pod| pod.metadata.name.unwrap();
    match events.next().await.unwrap() {
        Ok(Event::Init) => "begin".to_owned(),
        Ok(Event::InitApply(pod)) => format!("there {}", name(pod)),
        Ok(Event::InitDone) => "done".to_owned(),
        Ok(Event::Apply(pod)) => format!("put {}", name(pod)),
        Ok(Event::Delete(pod)) => format!("gone {}", name(pod)),
        Err(watcher::Error::WatchError(status)) => format!("error {}", status.code),
        Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) => {
            format!("refused {}", status.code)
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_watcher_follows_by_list_and_by_stream() {
    for strategy in [InitialListStrategy::ListWatch, InitialListStrategy::StreamingList] {
        let api = api(&["a", "b"]);
        let config = watcher::Config { initial_list_strategy: strategy, ..Default::default() };
        let mut events = pin!(watcher(client(&api), config.timeout(30)));
        for expected in ["begin", "there a", "there b", "done"] {
            assert_eq!(next(&mut events).await, expected);
        }
        api.put(pod("c")).unwrap();
        api.put(pod("a")).unwrap();
        api.delete("Pod", "shop", "b");
        api.delete("Pod", "shop", "never-there");
        for expected in ["put c", "put a", "gone b"] {
            assert_eq!(next(&mut events).await, expected);
        }
        // Longer than the watch lasts: it ends, and the next one goes on where it ended.
        tokio::time::sleep(Duration::from_secs(100)).await;
        api.put(pod("d")).unwrap();
        assert_eq!(next(&mut events).await, "put d");
        api.compact();
        for expected in ["error 410", "begin", "there a"] {
            assert_eq!(next(&mut events).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_says_so() {
    let api = api(&[]);
    api.refuse_streaming_lists();
    let config = watcher::Config::default().streaming_lists();
    let mut events = pin!(watcher(client(&api), config));
    assert_eq!(next(&mut events).await, "refused 422");
}

#[tokio::test]
async fn lists_come_in_pages_until_something_changes() {
    let api = api(&["a", "b", "c"]);
    let pods = client(&api);
    let page = pods.list(&ListParams::default().limit(2)).await.unwrap();
    let token = page.metadata.continue_.unwrap();
    assert_eq!((page.items.len(), page.metadata.remaining_item_count), (2, Some(1)));
    let rest = ListParams::default().limit(2).continue_token(&token);
    let page = pods.list(&rest).await.unwrap();
    assert_eq!((page.items.len(), page.metadata.continue_), (1, None));
    api.delete("Pod", "shop", "a");
    let Err(kube::Error::Api(status)) = pods.list(&rest).await else { panic!("an old token") };
    assert_eq!(status.code, 410);
}

#[tokio::test]
async fn a_kind_may_be_forbidden_and_allowed_again() {
    let api = api(&["a"]);
    api.forbid("Pod", true);
    let list = || async { client(&api).list(&ListParams::default()).await };
    let Err(kube::Error::Api(status)) = list().await else { panic!("not forbidden") };
    assert_eq!((status.code, &*status.reason), (403, "Forbidden"));
    api.forbid("Pod", false);
    assert_eq!(list().await.unwrap().items.len(), 1);
}

#[test]
fn a_kind_of_one_name_has_the_objects_of_that_name() {
    let api = api(&[]);
    let named =
        |name| json!({ "kind": "ConfigMap", "metadata": { "namespace": "a", "name": name } });
    api.put(named("coredns")).unwrap();
    api.put(named("coredns-custom")).unwrap();
    assert!(api.put(named("other")).is_err());
    let held = ["coredns", "coredns-custom", "dns-default"]
        .map(|name| api.list(&format!("ConfigMap/{name}")).len());
    assert_eq!(held, [1, 1, 0]);
}

#[test]
fn what_cannot_be_served_is_refused_with_a_remedy() {
    let api = api(&[]);
    let refused = |object| api.put(object).unwrap_err().to_string();
    assert_eq!(
        refused(json!({ "kind": "Cron" })),
        "cannot serve kind \"Cron\": use one of ConfigMap/coredns, ConfigMap/dns-default, \
         ConfigMap/rke2-coredns-rke2-coredns, ConfigMap/coredns-custom, ConfigMap/node-local-dns, \
         ConfigMap/kubeadm-config, ConfigMap/kube-flannel-cfg, ConfigMap/cilium-config, \
         ConfigMap/kube-proxy, DaemonSet, EndpointSlice, Event, Event/Service, Ingress, IngressClass, \
         Namespace, NetworkPolicy, Node, Pod, Service"
    );
    assert_eq!(refused(json!({ "kind": "Pod" })), "a Pod has no metadata.name: give it one");
    let named = |kind| json!({ "kind": kind, "metadata": { "name": "a" } });
    assert_eq!(refused(named("Pod")), "a Pod needs a metadata.namespace: correct it");
    let calico = json!({ "kind": "NetworkPolicy", "apiVersion": "crd.projectcalico.org/v1" });
    assert!(refused(calico).starts_with("cannot serve kind \"NetworkPolicy\""));
}

#[tokio::test]
async fn over_a_socket_the_type_comes_first_and_the_end_ends_open_watches() {
    let api = api(&["a"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(api.clone().serve(listener));
    let config = Config::new(format!("http://{address}").parse().unwrap());
    let pods = Client::<Pod>::all(kube::Client::try_from(config).unwrap());
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 1);
    drop(pods);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    while !reply.contains("\"name\":\"a\"") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        reply += std::str::from_utf8(&bytes[..read]).unwrap();
    }
    assert!(reply.contains(r#"{"type":"ADDED","object":{"#), "{reply}");
    api.0.stop().cancel();
    stream.read_to_string(&mut String::new()).await.unwrap();
    serving.await.unwrap().unwrap();
}
