//! Warnings about Services as the API sends them.

use super::object::Watched;
use super::pod_event::{Metadata, Wire};
use crate::model::{Refused, ServiceEvent};

impl Watched for ServiceEvent {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, wire: Wire<'_>) -> Self {
        let says = wire.warns_of("Service").and_then(|(reason, note)| Refused::of(reason, note));
        Self { service: wire.regarding(), uid: wire.uid(), says, last: wire.last(&metadata) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Key, Refusal};
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<ServiceEvent>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z" },
                "reason": "a", "note": "b", "type": "Warning", "reportingInstance": "",
                "regarding": { "kind": "Service", "namespace": "", "name": "", "uid": "" },
                "eventTime": "2026-07-01T12:00:00Z",
                "series": { "count": 2, "lastObservedTime": "2026-07-01T12:00:00Z" },
                "deprecatedSource": { "host": "" }, "deprecatedCount": 3,
                "deprecatedLastTimestamp": "2026-07-01T12:00:00Z"
            }"#,
        );
        assert_eq!(empty, ServiceEvent::default());
    }

    #[test]
    fn an_event_says_of_which_service_what_and_when() {
        let event: ServiceEvent = read(
            r#"{
                "metadata": { "name": "web.17", "creationTimestamp": "1970-01-02T00:00:00Z" },
                "reason": "AllocationFailed", "type": "Warning",
                "note": "Failed to allocate IP for \"shop/web\": no available IPs",
                "regarding": { "kind": "Service", "namespace": "shop", "name": "web", "uid": "u1" },
                "eventTime": null, "reportingController": "metallb-controller",
                "deprecatedSource": { "component": "metallb-controller" },
                "deprecatedLastTimestamp": "1970-01-02T00:05:00Z", "deprecatedCount": 12
            }"#,
        );
        let expected = ServiceEvent {
            service: Key::new("shop", "web"),
            uid: "u1".into(),
            says: Some(Refused {
                why: Refusal::NoAddresses,
                text: "AllocationFailed: Failed to allocate IP for 'shop/web': no available IPs"
                    .into(),
            }),
            last: Some(Duration::from_secs(86_700)),
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn what_is_no_warning_about_a_service_says_nothing() {
        for (of, kind) in [("Normal", "Service"), ("Warning", "Ingress")] {
            let event: ServiceEvent = read(&format!(
                r#"{{ "type": "{of}", "regarding": {{ "kind": "{kind}" }},
                    "reason": "FailedBuildModel", "note": "AccessDenied" }}"#
            ));
            assert_eq!(event.says, None, "{of} {kind}");
        }
    }
}
