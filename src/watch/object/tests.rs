//! Objects, lines and pages, and what every kind's tests need.

use serde_json::{Value, json};

use super::*;
use crate::model::{EndpointSlice, Pod};

/// Returns the fact of a decodable object.
pub(crate) fn read<T: Watched>(json: &str) -> T {
    let Split { aside: InMetadata(metadata), rest } =
        serde_json::from_str::<Whole<'_, T>>(json).expect(json);
    T::new(metadata.rest, rest)
}

/// Returns what a watch makes of an object, be it one that cannot be decoded.
pub(crate) fn event<T: Watched>(json: &str) -> crate::cluster::Event<T> {
    let Received { key, fact, .. } = Received::read(serde_json::from_str(json).expect(json));
    match fact {
        Ok(fact) => crate::cluster::Event::Put(key, fact),
        Err(_) => crate::cluster::Event::Undecoded(key),
    }
}

/// Takes one field after the other out of `full`, and makes it `null`, each of which has to
/// be readable; returns the fact of an object without any field.
pub(crate) fn absent<T: Watched>(full: &str) -> T {
    let full: Value = serde_json::from_str(full).expect(full);
    let mut fields = Vec::new();
    pointers(&full, String::new(), &mut fields);
    assert!(fields.len() > 1, "{fields:?}");
    for field in fields {
        let (parent, name) = field.rsplit_once('/').unwrap();
        let mut without = full.clone();
        if let Some(object) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
            object.remove(&name.replace("~1", "/"));
            read::<T>(&without.to_string());
            let mut null = full.clone();
            *null.pointer_mut(&field).unwrap() = Value::Null;
            // No label has the value null, and the API server refuses to write one.
            if !parent.ends_with("abels") {
                read::<T>(&null.to_string());
            }
        }
    }
    read("{}")
}

fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect()
        }
        _ => return,
    };
    for (name, child) in children {
        let at = format!("{at}/{name}");
        pointers(child, at.clone(), all);
        all.push(at);
    }
}

#[test]
fn an_undecodable_object_keeps_its_key_and_spoils_no_other() {
    let body = r#"{
        "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
        "metadata": { "resourceVersion": "7", "continue": "more" },
        "items": [
            { "metadata": { "namespace": "shop", "name": "good" }, "endpoints": null },
            { "metadata": { "namespace": "shop", "name": "bad", "resourceVersion": "3" },
                "endpoints": "none" },
            { "metadata": 1 },
            { "metadata": { "namespace": "shop" } }
        ]
    }"#;
    let page: Page<EndpointSlice> = Page::read(body.as_bytes()).unwrap();
    let seen = page.objects.iter().map(|seen| (seen.key.to_string(), seen.fact.is_ok()));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("shop/good".to_owned(), true),
            ("shop/bad".to_owned(), false),
            (String::new(), false),
            ("shop/".to_owned(), false)
        ]
    );
    let error = page.objects[1].fact.as_ref().unwrap_err();
    assert!(error.starts_with("invalid type: string \"none\", expected a sequence"), "{error}");
    assert_eq!(page.objects[1].version, "3");
    assert_eq!((&*page.version, page.next.as_deref()), ("7", Some("more")));
}

#[test]
fn the_last_page_has_no_next_and_null_items_are_none() {
    for body in [
        r#"{ "metadata": { "resourceVersion": "7", "continue": "" }, "items": null }"#,
        r#"{ "metadata": { "resourceVersion": "7" } }"#,
    ] {
        let page: Page<Pod> = Page::read(body.as_bytes()).unwrap();
        assert_eq!((page.objects.len(), page.next), (0, None), "{body}");
    }
    assert!(Page::<Pod>::read(br#"{ "items": [] }"#).is_err());
    assert!(Page::<Pod>::read(b"<html>").is_err());
}

fn line(event: &Value) -> String {
    match WatchEvent::<Pod>::read(event.to_string().as_bytes()) {
        Ok(WatchEvent::Put(seen)) => {
            format!("put {} {} {}", seen.key, seen.version, seen.fact.is_ok())
        }
        Ok(WatchEvent::Gone(seen)) => {
            format!("gone {} {} {}", seen.key, seen.version, seen.fact.is_ok())
        }
        Ok(WatchEvent::Bookmark { version, complete }) => format!("bookmark {version} {complete}"),
        Ok(WatchEvent::Refused(status)) => {
            format!("refused {} {} {:?}", status.code, status.message, status.retry_after())
        }
        Err(_) => "error".to_owned(),
    }
}

#[test]
fn a_line_is_an_object_a_bookmark_or_a_refusal() {
    let metadata = json!({ "namespace": "shop", "name": "a", "resourceVersion": "3" });
    let good = json!({ "metadata": metadata });
    let bad = json!({ "metadata": metadata, "spec": 7 });
    let end = json!({ "k8s.io/initial-events-end": "true", "a": "b" });
    let status = json!({
        "kind": "Status", "metadata": {}, "status": "Failure", "message": "too old",
        "reason": "Expired", "code": 410, "details": { "retryAfterSeconds": 7 },
    });
    for (ty, object, expected) in [
        ("ADDED", &good, "put shop/a 3 true"),
        ("MODIFIED", &good, "put shop/a 3 true"),
        ("DELETED", &good, "gone shop/a 3 true"),
        ("ADDED", &bad, "put shop/a 3 false"),
        ("DELETED", &bad, "gone shop/a 3 false"),
        ("BOOKMARK", &json!({ "metadata": { "resourceVersion": "9" } }), "bookmark 9 false"),
        (
            "BOOKMARK",
            &json!({
                "metadata": { "resourceVersion": "9", "annotations": end },
                "spec": { "containers": null }, "status": {},
            }),
            "bookmark 9 true",
        ),
        ("ERROR", &status, "refused 410 too old Some(7s)"),
        ("ERROR", &json!({ "code": null }), "refused 0  None"),
        ("CHANGED", &good, "error"),
        ("ADDED", &json!(7), "put   false"),
    ] {
        // serde_json writes fields in alphabetic order: `object` comes before `type`.
        assert_eq!(line(&json!({ "type": ty, "object": object })), expected, "{ty} {object}");
    }
    assert_eq!(line(&json!({ "kind": "Status", "code": 500 })), "error");
}
