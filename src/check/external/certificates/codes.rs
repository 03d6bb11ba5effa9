//! What can be wrong with certificates, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Certificate, CertificateRequest, Challenge, ClusterIssuer, Fact, Issuer};

/// More than one watch is looked at, and what is installed comes object by object.
const GRACE: u64 = 60;

/// It has expired.
pub static EXPIRED: Code = Code::warning("certificates.expired", &[Certificate::KIND])
    .after(GRACE)
    .explain("A certificate has expired: clients refuse whoever shows it.")
    .independent()
    .remedies(OF_CERTIFICATE);

/// There is none, or not the one that is asked for.
pub static NOT_READY: Code = Code::warning("certificates.not_ready", &[Certificate::KIND])
    .after(GRACE)
    .explain(
        "A Certificate is not ready for more than ten minutes, or its last change was not looked at: \
         there is no certificate, or not the one that is asked for.",
    )
    .independent()
    .remedies(OF_CERTIFICATE);

/// It expires soon.
pub static EXPIRING: Code = Code::warning("certificates.expiring", &[Certificate::KIND])
    .after(GRACE)
    .explain(
        "A certificate is in the last week or tenth of its life, and nothing shows that it is \
         renewed.",
    )
    .independent()
    .remedies(OF_CERTIFICATE);

/// It should have been renewed.
pub static NOT_RENEWED: Code = Code::warning("certificates.not_renewed", &[Certificate::KIND])
    .after(GRACE)
    .explain(
        "A certificate should have been renewed and was not: it is good until it expires, and \
         nothing but this says that it will.",
    )
    .independent()
    .remedies(OF_CERTIFICATE);

/// Its issuer is not there.
pub static ISSUER_MISSING: Code = Code::warning(
    "certificates.issuer_missing",
    &[Certificate::KIND],
)
.after(GRACE)
.explain("A Certificate names an issuer that is not there: it is not issued or renewed.")
.independent()
.remedies(&[
    DESCRIBE,
    YAML,
    ISSUERS,
    Remedy::fix(
        "kubectl -n {namespace} edit certificates.cert-manager.io {name}",
        "cert-manager asks the issuer that is named then for a new certificate at once; undone \
             by editing it back to what the second command showed",
    ),
    SEE,
]);

/// An issuer cannot issue.
pub static ISSUER_NOT_READY: Code =
    Code::warning("certificates.issuer_not_ready", &[Issuer::KIND, ClusterIssuer::KIND])
        .after(GRACE)
        .explain("An issuer is not ready: what it is to issue is not issued or renewed.")
        .independent()
        .runbook(STUCK)
        .remedies(OF_ISSUERS);

/// An issuer that nobody names cannot issue.
pub static ISSUER_UNUSED: Code =
    Code::info("certificates.issuer_unused", &[Issuer::KIND, ClusterIssuer::KIND])
        .after(GRACE)
        .explain("An issuer is not ready, and nothing is to be issued by it.")
        .independent()
        .runbook(STUCK)
        .remedies(OF_ISSUERS);

/// Nobody approves requests.
pub static NO_APPROVER: Code =
    Code::warning("certificates.no_approver", &[CertificateRequest::KIND])
        .after(GRACE)
        .explain(
            "A request for a certificate is neither approved nor denied: no issuer looks at it \
             until it is.",
        )
        .independent()
        .runbook(STUCK)
        .remedies(&[DESCRIBE_REQUEST, REQUESTS, RUNS, SEE_REQUEST]);

/// An issuer does not answer a request.
pub static REQUEST_STUCK: Code =
    Code::warning("certificates.request_stuck", &[CertificateRequest::KIND])
        .after(GRACE)
        .explain("An issuer has not answered an approved request for more than an hour.")
        .independent()
        .runbook(STUCK)
        .remedies(&[DESCRIBE_REQUEST, REQUESTS, ISSUERS, RUNS, SEE_REQUEST]);

/// A challenge does not end.
pub static CHALLENGE_STUCK: Code = Code::warning(
    "certificates.challenge_stuck",
    &[Challenge::KIND],
)
.after(GRACE)
.explain(
    "A challenge of an ACME server is open for more than an hour: the name is not proved, and \
         its certificate is not issued.",
)
.independent()
.runbook(STUCK)
.remedies(&[
    DESCRIBE_CHALLENGE,
    Remedy::inspect("kubectl -n {namespace} get challenges.acme.cert-manager.io -o wide"),
    Remedy::inspect(
        "kubectl -n {namespace} get pods,services,ingresses \
             -l acme.cert-manager.io/http01-solver=true -o wide",
    ),
    RUNS,
    SEE_CHALLENGE,
]);

/// A challenge is deleted and stays.
pub static STUCK_DELETING: Code = Code::warning("certificates.stuck_deleting", &[Challenge::KIND])
    .after(GRACE)
    .explain(
        "A challenge was deleted more than ten minutes ago and is still there: what was made for it \
         is not cleaned up, and its namespace cannot go.",
    )
    .independent()
    .runbook(STUCK)
    .remedies(&[
        DESCRIBE_CHALLENGE,
        RUNS,
        Remedy::fix(
            "kubectl -n {namespace} patch challenges.acme.cert-manager.io {name} --type=merge \
             -p '{\"metadata\":{\"finalizers\":null}}'",
            "it goes at once, and a record of DNS that was made for it stays until it is removed \
             by hand; the challenge is gone for good",
        ),
        SEE_CHALLENGE,
    ]);

const STUCK: &str = "NetvitalsCertificateIssuanceStuck";

const OF_CERTIFICATE: &[Remedy] = &[
    DESCRIBE,
    Remedy::inspect(
        "kubectl -n {namespace} get certificaterequests.cert-manager.io,\
         orders.acme.cert-manager.io,challenges.acme.cert-manager.io -o wide",
    ),
    ISSUERS,
    RUNS,
    SEE,
];

const OF_ISSUERS: &[Remedy] = &[
    Remedy::inspect(
        "kubectl get issuers.cert-manager.io,clusterissuers.cert-manager.io -A -o yaml",
    ),
    Remedy::inspect("kubectl get certificates.cert-manager.io -A -o wide"),
    RUNS,
    Remedy::verify("kubectl get issuers.cert-manager.io,clusterissuers.cert-manager.io -A -o wide"),
];

const DESCRIBE: Remedy =
    Remedy::inspect("kubectl -n {namespace} describe certificates.cert-manager.io {name}");

const YAML: Remedy =
    Remedy::inspect("kubectl -n {namespace} get certificates.cert-manager.io {name} -o yaml");

const SEE: Remedy =
    Remedy::verify("kubectl -n {namespace} get certificates.cert-manager.io {name} -o wide");

const ISSUERS: Remedy = Remedy::inspect(
    "kubectl get issuers.cert-manager.io,clusterissuers.cert-manager.io -A -o wide",
);

/// Wherever it is installed.
const RUNS: Remedy =
    Remedy::inspect("kubectl get pods -A -l app.kubernetes.io/instance=cert-manager -o wide");

const DESCRIBE_REQUEST: Remedy =
    Remedy::inspect("kubectl -n {namespace} describe certificaterequests.cert-manager.io {name}");

const REQUESTS: Remedy =
    Remedy::inspect("kubectl get certificaterequests.cert-manager.io -A -o wide");

const SEE_REQUEST: Remedy =
    Remedy::verify("kubectl -n {namespace} get certificaterequests.cert-manager.io {name} -o wide");

const DESCRIBE_CHALLENGE: Remedy =
    Remedy::inspect("kubectl -n {namespace} describe challenges.acme.cert-manager.io {name}");

const SEE_CHALLENGE: Remedy =
    Remedy::verify("kubectl -n {namespace} get challenges.acme.cert-manager.io -o wide");
