//! Ingresses and their classes as the API sends them.

use serde::Deserialize;

use super::field::{Moment, Text, or_default};
use super::object::Watched;
use crate::model::{
    Backend, ClassName, Ingress, IngressClass, IngressPath, Matches, Name, TargetPort,
};

/// The name of a port that stands for an annotation, in Ingresses of the controller of AWS.
const BY_ANNOTATION: &str = "use-annotation";

/// What Go takes for true.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<Moment>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    annotations: Annotations<'a>,
}

/// The annotations that change what an Ingress means.
#[derive(Default, Deserialize)]
struct Annotations<'a> {
    #[serde(rename = "kubernetes.io/ingress.class")]
    class: Option<Name>,
    #[serde(borrow, rename = "nginx.ingress.kubernetes.io/canary")]
    canary: Option<Text<'a>>,
    #[serde(borrow, rename = "alb.ingress.kubernetes.io/group.name")]
    group: Option<Text<'a>>,
    #[serde(borrow, rename = "traefik.ingress.kubernetes.io/router.entrypoints")]
    entry_points: Option<Text<'a>>,
    #[serde(borrow, rename = "traefik.ingress.kubernetes.io/router.priority")]
    priority: Option<Text<'a>>,
    #[serde(borrow, rename = "konghq.com/methods")]
    methods: Option<Text<'a>>,
    #[serde(borrow, rename = "nginx.ingress.kubernetes.io/permanent-redirect")]
    permanent: Option<Text<'a>>,
    #[serde(borrow, rename = "nginx.ingress.kubernetes.io/temporal-redirect")]
    temporal: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: IngressStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    ingress_class_name: Option<Name>,
    default_backend: Option<WireBackend>,
    #[serde(borrow)]
    rules: Option<Vec<Rule<'a>>>,
}

#[derive(Deserialize)]
struct Rule<'a> {
    host: Option<Name>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    http: Paths<'a>,
}

#[derive(Default, Deserialize)]
struct Paths<'a> {
    #[serde(borrow)]
    paths: Option<Vec<WirePath<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePath<'a> {
    path: Option<Name>,
    #[serde(borrow)]
    path_type: Option<Text<'a>>,
    backend: Option<WireBackend>,
}

#[derive(Deserialize)]
struct WireBackend {
    service: Option<BackendService>,
}

#[derive(Deserialize)]
struct BackendService {
    name: Option<Name>,
    #[serde(default, deserialize_with = "or_default")]
    port: BackendPort,
}

#[derive(Default, Deserialize)]
struct BackendPort {
    name: Option<Name>,
    number: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IngressStatus<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    load_balancer: Addresses<'a>,
}

#[derive(Default, Deserialize)]
struct Addresses<'a> {
    #[serde(borrow)]
    ingress: Option<Vec<Address<'a>>>,
}

#[derive(Deserialize)]
struct Address<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
}

impl Watched for Ingress {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let is_shared = metadata.annotations.share();
        let is_redirect = metadata.annotations.redirect();
        let named = |name: Option<Name>| name.filter(|name| !name.is_empty());
        let annotated = named(metadata.annotations.class).map(ClassName::Annotation);
        let entries = status.load_balancer.ingress.into_iter().flatten();
        let mut addresses: Vec<Name> = entries
            .flat_map(|it| [it.ip, it.hostname].into_iter().flatten())
            .filter(|address| !address.is_empty())
            .map(|address| Name::from(&*address))
            .collect();
        addresses.sort();
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            terminating: metadata.deletion_timestamp.is_some(),
            class: named(spec.ingress_class_name).map(ClassName::Spec).or(annotated),
            addresses: addresses.into(),
            default: spec.default_backend.map(Into::into),
            paths: spec.rules.into_iter().flatten().flat_map(paths).collect(),
            is_shared,
            is_redirect,
        }
    }
}

impl Annotations<'_> {
    fn share(&self) -> bool {
        let others = [&self.group, &self.entry_points, &self.priority, &self.methods];
        // As ingress-nginx reads it.
        let is_canary = self.canary.as_deref().is_some_and(|it| TRUE.contains(&it));
        is_canary || others.iter().any(|it| it.is_some())
    }

    fn redirect(&self) -> bool {
        self.permanent.is_some() || self.temporal.is_some()
    }
}

fn paths(rule: Rule<'_>) -> impl Iterator<Item = IngressPath> {
    let host = rule.host.unwrap_or_default();
    rule.http.paths.into_iter().flatten().map(move |wire| IngressPath {
        host: host.clone(),
        path: wire.path.unwrap_or_default(),
        matches: match wire.path_type.as_deref() {
            Some("Exact") => Matches::Exact,
            Some("Prefix") => Matches::Prefix,
            _ => Matches::Otherwise,
        },
        backend: wire.backend.map_or(Backend::Other, Into::into),
    })
}

impl From<WireBackend> for Backend {
    fn from(wire: WireBackend) -> Self {
        let Some(BackendService { name: Some(name), port }) = wire.service else {
            return Self::Other;
        };
        let port = match (port.name, port.number) {
            (Some(port), _) if *port == *BY_ANNOTATION => return Self::Other,
            (Some(port), _) if !port.is_empty() => TargetPort::Name(port),
            (_, Some(number)) => TargetPort::Number(number),
            _ => return Self::Other,
        };
        Self::Service { name, port }
    }
}

/// What is kept of the `metadata` of a class.
#[derive(Default, Deserialize)]
pub(crate) struct ClassMetadata<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    annotations: ClassAnnotations<'a>,
}

#[derive(Default, Deserialize)]
struct ClassAnnotations<'a> {
    #[serde(borrow, rename = "ingressclass.kubernetes.io/is-default-class")]
    is_default: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct WireClass {
    #[serde(default, deserialize_with = "or_default")]
    spec: ClassSpec,
}

#[derive(Default, Deserialize)]
struct ClassSpec {
    controller: Option<Name>,
}

impl Watched for IngressClass {
    type Metadata<'a> = ClassMetadata<'a>;
    type Wire<'a> = WireClass;

    fn new(metadata: ClassMetadata<'_>, WireClass { spec }: WireClass) -> Self {
        Self {
            controller: spec.controller.unwrap_or_default(),
            is_default: metadata.annotations.is_default.as_deref() == Some("true"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<Ingress>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z",
                    "deletionTimestamp": "2026-07-01T12:00:00Z", "annotations": {
                        "kubernetes.io/ingress.class": "a",
                        "nginx.ingress.kubernetes.io/canary": "true",
                        "alb.ingress.kubernetes.io/group.name": "a",
                        "traefik.ingress.kubernetes.io/router.entrypoints": "a",
                        "traefik.ingress.kubernetes.io/router.priority": "1",
                        "konghq.com/methods": "GET",
                        "nginx.ingress.kubernetes.io/permanent-redirect": "a",
                        "nginx.ingress.kubernetes.io/temporal-redirect": "a" } },
                "spec": {
                    "ingressClassName": "a",
                    "defaultBackend": { "service": { "name": "a", "port": { "number": 80 } } },
                    "rules": [{ "host": "a", "http": { "paths": [{ "path": "/", "pathType": "Exact",
                        "backend": { "service": { "name": "a", "port": { "name": "b" } } } }] } }]
                },
                "status": { "loadBalancer": { "ingress": [{ "ip": "a", "hostname": "b" }] } }
            }"#,
        );
        assert_eq!(empty, Ingress::default());
        let empty = absent::<IngressClass>(
            r#"{
                "metadata": { "annotations": {
                    "ingressclass.kubernetes.io/is-default-class": "true" } },
                "spec": { "controller": "a" }
            }"#,
        );
        assert_eq!(empty, IngressClass::default());
    }

    fn service(name: &str, port: TargetPort) -> Backend {
        Backend::Service { name: name.into(), port }
    }

    #[test]
    fn an_ingress_has_its_class_its_addresses_and_where_its_paths_lead() {
        let ingress: Ingress = read(
            r#"{
                "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z" },
                "spec": {
                    "ingressClassName": "nginx",
                    "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } },
                    "rules": [
                        { "host": "a.example.com", "http": { "paths": [
                            { "path": "/", "pathType": "Prefix", "backend": {
                                "service": { "name": "web", "port": { "name": "http" } } } },
                            { "path": "/icons", "pathType": "ImplementationSpecific",
                                "backend": { "resource": { "kind": "Bucket", "name": "icons" } } }
                        ] } },
                        { "host": "b.example.com" },
                        { "http": { "paths": [{ "pathType": "Exact", "backend": { "service":
                            { "name": "redirect", "port": { "name": "use-annotation" } } } }] } }
                    ]
                },
                "status": { "loadBalancer": { "ingress": [
                    { "ip": "192.0.2.7" }, { "hostname": "lb.example.com" }, { "ip": "" } ] } }
            }"#,
        );
        let path = |host: &str, path: &str, matches, backend| IngressPath {
            host: host.into(),
            path: path.into(),
            matches,
            backend,
        };
        let expected = Ingress {
            created: Some(Duration::from_secs(86_400)),
            class: Some(ClassName::Spec("nginx".into())),
            addresses: ["192.0.2.7", "lb.example.com"].map(Name::from).into(),
            default: Some(service("web", TargetPort::Number(80))),
            paths: [
                path(
                    "a.example.com",
                    "/",
                    Matches::Prefix,
                    service("web", TargetPort::Name("http".into())),
                ),
                path("a.example.com", "/icons", Matches::Otherwise, Backend::Other),
                path("", "", Matches::Exact, Backend::Other),
            ]
            .into(),
            ..Ingress::default()
        };
        assert_eq!(ingress, expected);
    }

    #[test]
    fn annotations_name_a_class_share_paths_and_send_elsewhere() {
        let with = |annotations: &str| -> Ingress {
            read(&format!(r#"{{ "metadata": {{ "annotations": {{ {annotations} }} }} }}"#))
        };
        let class = with(r#""kubernetes.io/ingress.class": "gce""#).class;
        assert_eq!(class, Some(ClassName::Annotation("gce".into())));
        assert_eq!(with(r#""kubernetes.io/ingress.class": """#).class, None);
        for (annotation, is_shared, is_redirect) in [
            (r#""nginx.ingress.kubernetes.io/canary": "true""#, true, false),
            (r#""nginx.ingress.kubernetes.io/canary": "True""#, true, false),
            (r#""nginx.ingress.kubernetes.io/canary": "false""#, false, false),
            (r#""alb.ingress.kubernetes.io/group.name": "web""#, true, false),
            (r#""traefik.ingress.kubernetes.io/router.entrypoints": "web""#, true, false),
            (r#""nginx.ingress.kubernetes.io/permanent-redirect": "https://a""#, false, true),
            (r#""example.com/team": "shop""#, false, false),
        ] {
            let ingress = with(annotation);
            let is = (ingress.is_shared, ingress.is_redirect);
            assert_eq!(is, (is_shared, is_redirect), "{annotation}");
        }
        let both: Ingress = read(
            r#"{ "metadata": { "annotations": { "kubernetes.io/ingress.class": "a" } },
                "spec": { "ingressClassName": "b" } }"#,
        );
        assert_eq!(both.class.unwrap().name(), &Name::from("b"));
    }

    #[test]
    fn a_class_has_its_controller_and_may_be_the_default() {
        let class: IngressClass = read(
            r#"{
                "metadata": { "annotations": {
                    "ingressclass.kubernetes.io/is-default-class": "true" } },
                "spec": { "controller": "traefik.io/ingress-controller" }
            }"#,
        );
        let controller = "traefik.io/ingress-controller".into();
        assert_eq!(class, IngressClass { controller, is_default: true });
        let class: IngressClass = read(
            r#"{ "metadata": { "annotations": {
                "ingressclass.kubernetes.io/is-default-class": "false" } } }"#,
        );
        assert!(!class.is_default);
    }
}
