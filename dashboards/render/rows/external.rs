//! External: what leads into the cluster.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{once, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let alerts =
        ["NetvitalsIngressNoAddress", "NetvitalsIngressBackendMissing", "NetvitalsIngressConflict"];
    let of_certificates = ["NetvitalsCertificateNotRenewed", "NetvitalsCertificateIssuanceStuck"];
    let panels = vec![
        Panel::lines(
            91,
            "Ingresses",
            "Ingresses, each by the worst that is so of it. With controllers that never write an \
             address all are without one, which is no fault.",
        )
        .size(12, 6)
        .query(&once(&["state"], &series("netvitals_ingresses", "")), "{{state}}")
        .unit("short")
        .empty("no Ingress, or there is no verdict")
        .alerts(rules, &alerts),
        Panel::lines(
            92,
            "Certificates",
            "Certificates of cert-manager, each by the worst that is so of it. One stays ready while \
             its renewals fail; what was to be renewed two hours ago is told apart here.",
        )
        .size(12, 6)
        .query(&once(&["state"], &series("netvitals_cert_manager_certificates", "")), "{{state}}")
        .unit("short")
        .empty("no Certificate, no cert-manager, or there is no verdict")
        .alerts(rules, &of_certificates),
        Panel::lines(
            93,
            "Gateways",
            "Gateways, each by the worst that is so of it, as their controllers say.",
        )
        .size(12, 6)
        .query(&once(&["state"], &series("netvitals_gateways", "")), "{{state}}")
        .unit("short")
        .empty("no Gateway, no Gateway API, or there is no verdict")
        .alerts(rules, &["NetvitalsGatewayNotProgrammed"]),
        Panel::lines(
            94,
            "Routes of Gateways",
            "HTTPRoutes and GRPCRoutes, each by the worst that is so of it. With controllers that \
             never answer all are silent, which is no fault.",
        )
        .size(12, 6)
        .query(&once(&["state"], &series("netvitals_gateway_routes", "")), "{{state}}")
        .unit("short")
        .empty("no route, no Gateway API, or there is no verdict")
        .alerts(rules, &["NetvitalsGatewayRouteNotAccepted"]),
    ];
    Row { title: Some((90, "External")), panels }
}
