use std::time::Duration;

use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Fact, Issuer, IssuerRef, Key, Order,
    Says, Skipped, Stage, Status, Unknown, Waits,
};
use crate::report::remedy;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn ago(seconds: u64) -> Option<Duration> {
    Some(at(0).unix - Duration::from_secs(seconds))
}

fn ahead(seconds: u64) -> Option<Duration> {
    Some(at(0).unix + Duration::from_secs(seconds))
}

fn says(status: Status, reason: &str, since: u64) -> Option<Says> {
    Some(Says { status, reason: reason.into(), since: ago(since) })
}

/// cert-manager without an object, at a moment that is no zero.
fn installed() -> Cluster {
    fn none<T: Fact>(facts: Cluster) -> Cluster {
        facts.with(Event::<T>::Begin).with(Event::<T>::Done)
    }
    let facts = none::<Issuer>(none::<ClusterIssuer>(none::<Certificate>(cluster().after(0))));
    none::<CertificateRequest>(none::<Order>(none::<Challenge>(facts)))
}

fn put<T: Fact>(facts: Cluster, name: &str, fact: T) -> Cluster {
    let (namespace, name) = name.split_once('/').unwrap();
    facts.with(Event::Put(Key::new(namespace, name), fact))
}

fn acme() -> IssuerRef {
    IssuerRef { kind: "ClusterIssuer".into(), name: "acme".into(), ..IssuerRef::default() }
}

/// A Certificate of Let's Encrypt, 20 days old, until `change` says otherwise.
fn certificate(change: impl FnOnce(&mut Certificate)) -> Certificate {
    let mut certificate = Certificate {
        created: ago(200 * DAY),
        issuer: acme(),
        ready: says(Status::True, "Ready", 200 * DAY),
        not_before: ago(20 * DAY),
        not_after: ahead(70 * DAY),
        renewal: ahead(40 * DAY),
        ..Certificate::default()
    };
    change(&mut certificate);
    certificate
}

/// An issuer that works, and a Certificate of it.
fn one(change: impl FnOnce(&mut Certificate)) -> Cluster {
    let issuer = Issuer { created: ago(200 * DAY), ready: says(Status::True, "A", 200 * DAY) };
    let facts = put(installed(), "/acme", ClusterIssuer(issuer));
    put(facts, "shop/web", certificate(change))
}

/// The request of that Certificate, and its Order where that has a state.
fn asks(facts: Cluster, stage: Stage, age: u64, order: Option<&str>) -> Cluster {
    let request = CertificateRequest {
        created: ago(age),
        certificate: Some("web".into()),
        issuer: acme(),
        stage,
    };
    let facts = put(facts, "shop/web-2", request);
    let Some(state) = order else { return facts };
    put(facts, "shop/web-2-7", Order { request: Some("web-2".into()), state: state.into() })
}

fn challenge(facts: Cluster, class: &str, waits: Waits, age: u64) -> Cluster {
    let challenge = Challenge {
        created: ago(age),
        order: Some("web-2-7".into()),
        class: class.into(),
        name: "shop.example.com".into(),
        issuer: acme(),
        waits,
        ..Challenge::default()
    };
    put(facts, "shop/web-2-7-9", challenge)
}

/// The state that is not 0.
fn state(facts: &Cluster) -> String {
    let samples = ask(facts).samples;
    assert_eq!(samples.len(), 7);
    let start = "netvitals_cert_manager_certificates{";
    let names = samples.iter().filter(|text| !text.ends_with(" 0"));
    let names: Vec<String> =
        names.map(|text| text.strip_prefix(start).unwrap().replace("} 1", "")).collect();
    names.join(" ")
}

fn overdue(days: u64) -> impl FnOnce(&mut Certificate) {
    move |it| {
        (it.renewal, it.not_after) = (ago(days * DAY), ahead((30 - days) * DAY));
        it.not_before = ago((60 + days) * DAY);
    }
}

fn first(it: &mut Certificate) {
    it.created = ago(30 * MINUTE);
    it.ready = says(Status::False, "DoesNotExist", 30 * MINUTE);
    it.issuing = ago(30 * MINUTE);
    (it.not_before, it.not_after, it.renewal) = (None, None, None);
}

#[test]
fn what_is_found_in_the_wild_is_told_as_its_owner_would_want_it() {
    let renews = |it: &mut Certificate| it.issuing = it.renewal;
    let vault = |it: &mut Certificate| {
        (it.not_before, it.not_after) = (ago(10 * HOUR), ahead(2 * HOUR));
        (it.renewal, it.issuing) = (ago(2 * HOUR), ago(2 * HOUR));
    };
    let shapes: Vec<(&str, Cluster, &str, &[&str])> = vec![
        ("a certificate of Let's Encrypt, well", one(|_| {}), "ready", &[]),
        ("one that is renewed now", one(|it| it.renewal = ago(HOUR)), "ready", &[]),
        (
            "cert-manager runs for weeks and has forgotten a certificate",
            one(overdue(22)),
            "not_renewed",
            &[
                "certificates.not_renewed Certificate shop/web: was to be renewed 22 d ago, and expires \
               in 8 d, and nothing asks for a new one: look at the log of cert-manager",
            ],
        ),
        (
            "each attempt ends with an order that is invalid",
            asks(
                one(|it| {
                    overdue(20)(it);
                    (it.failures, it.failed) = (6, ago(5 * HOUR));
                }),
                Stage::Failed,
                5 * HOUR,
                Some("invalid"),
            ),
            "not_renewed",
            &[
                "certificates.not_renewed Certificate shop/web: was to be renewed 20 d ago, and expires \
               in 10 d; 6 attempts failed, the last 5 h ago; its request web-2 has failed, and its \
               order is invalid: look at the order",
            ],
        ),
        (
            "Vault was away when a certificate of twelve hours was to be renewed",
            asks(one(vault), Stage::Pending, 2 * HOUR, None),
            "not_renewed",
            &[
                "certificates.not_renewed Certificate shop/web: was to be renewed 2 h ago, and expires \
               in 2 h; its request web-2 waits for its issuer: look at the events of the request",
            ],
        ),
        (
            "one that has expired, and is called ready while it is renewed",
            one(|it| {
                overdue(29)(it);
                it.not_after = ago(2 * DAY);
                renews(it);
            }),
            "expired",
            &[
                "certificates.expired Certificate shop/web: expired 2 d ago; no request was made for \
               it: look at its issuer, and at the log of cert-manager",
            ],
        ),
        (
            "port 80 leads to another ingress controller than the solver's",
            challenge(
                asks(one(first), Stage::Pending, 30 * MINUTE, Some("pending")),
                "HTTP-01",
                Waits::Status(404),
                30 * MINUTE,
            ),
            "not_ready",
            &[
                "certificates.not_ready Certificate shop/web: not ready for 30 min, DoesNotExist; its \
               HTTP-01 challenge of shop.example.com is answered with status 404: look at what \
               serves port 80 of that name",
            ],
        ),
        (
            "the zone inside of the cluster is another than the one outside",
            challenge(
                asks(one(first), Stage::Pending, 30 * MINUTE, Some("pending")),
                "DNS-01",
                Waits::Record,
                2 * HOUR,
            ),
            "not_ready",
            &[
                "certificates.not_ready Certificate shop/web: not ready for 30 min, DoesNotExist; its \
                 DNS-01 challenge of shop.example.com waits for a record of DNS that is not seen yet: \
                 look at whom its zone is delegated to, and at what cert-manager asks",
                "certificates.challenge_stuck Challenge shop/web-2-7-9: open for 2 h; the DNS-01 \
                 challenge of shop.example.com waits for a record of DNS that is not seen yet: look \
                 at whom its zone is delegated to, and at what cert-manager asks",
            ],
        ),
        (
            "OpenShift with approver-policy, and no policy that fits",
            asks(one(first), Stage::Unapproved, 30 * MINUTE, None),
            "not_ready",
            &[
                "certificates.not_ready Certificate shop/web: not ready for 30 min, DoesNotExist; \
                 nobody has approved its request web-2: look at what approves requests",
                "certificates.no_approver CertificateRequest shop/web-2: nobody has approved or denied \
                 it for 30 min, of ClusterIssuer acme: look at what approves requests, and at its \
                 rights",
            ],
        ),
        (
            "a certificate of another program's issuer",
            one(|it| {
                it.issuer = IssuerRef {
                    group: "cert-manager.k8s.cloudflare.com".into(),
                    kind: "OriginIssuer".into(),
                    name: "origin".into(),
                }
            }),
            "ready",
            &[],
        ),
        (
            "a challenge is left over, and its certificate is good",
            challenge(one(|_| {}), "DNS-01", Waits::Presented, 60 * DAY),
            "ready",
            &["certificates.challenge_stuck Challenge shop/web-2-7-9: open for 60 d; the DNS-01 \
               challenge of shop.example.com is not presented yet: look at the rights of the solver \
               at its provider"],
        ),
        (
            "cert-manager was taken away before its challenges",
            put(
                one(|_| {}),
                "shop/old",
                Challenge { deleted: ago(10 * DAY), ..Challenge::default() },
            ),
            "ready",
            &[
                "certificates.stuck_deleting Challenge shop/old: deleted 10 d ago, and still there: look \
               at whether cert-manager runs, and at its reason",
            ],
        ),
        (
            "a certificate that is not to be renewed, far from its end",
            one(|it| it.renewal = None),
            "ready",
            &[],
        ),
        (
            "a certificate that is not to be renewed, at its end",
            one(|it| {
                (it.not_before, it.not_after) = (ago(87 * DAY), ahead(3 * DAY));
                it.renewal = None;
            }),
            "expiring",
            &[
                "certificates.expiring Certificate shop/web: expires in 3 d, and cert-manager is not to \
               renew it: look at who is to",
            ],
        ),
        (
            "a change that cert-manager has not looked at, because it does not run",
            one(|it| it.unseen = true),
            "not_ready",
            &[
                "certificates.not_ready Certificate shop/web: its last change has not been looked at, \
               and nothing asks for a new one: look at the log of cert-manager",
            ],
        ),
        (
            "an issuer that a rename has left without its certificates",
            one(|it| it.issuer.name = "letsencrypt".into()),
            "no_issuer",
            &[
                "certificates.issuer_missing Certificate shop/web: its ClusterIssuer letsencrypt is not \
               there: look at how its name is written",
            ],
        ),
    ];
    for (of, facts, expected, found) in shapes {
        let Answer { result, findings, gaps, .. } = ask(&facts);
        assert_eq!(findings, *found, "{of}");
        assert_eq!(state(&facts), expected, "{of}");
        assert_eq!((result, gaps), (Ok(()), vec![]), "{of}");
    }
}

#[test]
fn how_late_is_too_late_goes_by_the_time_that_is_left() {
    // A month is left for 90 days, 20 minutes for an hour.
    for (window, late, found) in [
        (30 * DAY, 2 * HOUR - 1, "ready"),
        (30 * DAY, 2 * HOUR, "not_renewed"),
        (20 * MINUTE, 5 * MINUTE - 1, "ready"),
        (20 * MINUTE, 5 * MINUTE, "not_renewed"),
    ] {
        let facts = one(|it| {
            (it.renewal, it.not_after) = (ago(late), ahead(window - late));
            it.not_before = Some(it.not_after.unwrap() - Duration::from_secs(3 * window));
        });
        assert_eq!(state(&facts), found, "{late} of {window}");
    }
    // A week, or a tenth of its life.
    for (life, left, found) in [
        (90 * DAY, 7 * DAY, "expiring"),
        (90 * DAY, 7 * DAY + 1, "not_renewed"),
        (20 * DAY, 2 * DAY, "expiring"),
        (20 * DAY, 2 * DAY + 1, "not_renewed"),
        (DAY, DAY / 10, "expiring"),
    ] {
        let facts = one(|it| {
            (it.renewal, it.not_after) = (ago(life / 2), ahead(left));
            it.not_before = Some(it.not_after.unwrap() - Duration::from_secs(life));
        });
        assert_eq!(state(&facts), found, "{left} of {life}");
    }
    // One that is to be renewed in its last hour by plan.
    let late = |it: &mut Certificate| (it.renewal, it.not_after) = (ahead(HOUR), ahead(2 * HOUR));
    assert_eq!(state(&one(late)), "ready");
    assert_eq!(state(&one(|it| it.not_after = ago(0))), "expired");
}

#[test]
fn what_is_young_is_waited_for() {
    for (minutes, expected) in [(9, "issuing"), (10, "not_ready")] {
        let young = one(|it| {
            first(it);
            it.ready = says(Status::False, "DoesNotExist", minutes * MINUTE);
        });
        assert_eq!(state(&young), expected);
        // Nothing is said of it while cert-manager does not run.
        let silent = one(|it| {
            first(it);
            (it.ready, it.created, it.issuing) = (None, ago(minutes * MINUTE), None);
        });
        assert_eq!(state(&silent), expected);
        assert_eq!(ask(&young).findings.len(), usize::from(minutes == 10));
        let request = asks(one(|_| {}), Stage::Unapproved, minutes * MINUTE, None);
        assert_eq!(ask(&request).findings.len(), usize::from(minutes == 10));
    }
    // Helm brings the issuer a moment later.
    let new = one(|it| (it.created, it.issuer.name) = (ago(MINUTE), "later".into()));
    assert_eq!(state(&new), "ready");
    for (age, found) in [(HOUR - 1, 0), (HOUR, 1)] {
        let facts = challenge(one(|_| {}), "HTTP-01", Waits::Silence, age);
        assert_eq!(ask(&facts).findings.len(), found);
    }
}

#[test]
fn an_issuer_is_worth_as_much_as_what_is_to_come_of_it() {
    let broken =
        |since| Issuer { created: ago(since), ready: says(Status::False, "ErrRegister", since) };
    let facts = |name: &str| put(one(|_| {}), name, ClusterIssuer(broken(HOUR)));
    assert_eq!(
        ask(&facts("/acme")).findings,
        ["certificates.issuer_not_ready ClusterIssuer acme: not ready for 60 min, ErrRegister; 1 \
          Certificate names it: look at its message"]
    );
    let unused = ["certificates.issuer_unused ClusterIssuer staging: not ready for 60 min, \
                   ErrRegister; no Certificate names it: look at its message"];
    assert_eq!(ask(&facts("/staging")).findings, unused);
    // Who names it may be what cannot be read.
    let unseen = ask(&facts("/staging").undecoded::<Certificate>("shop/other"));
    assert!(unseen.findings[0].starts_with("certificates.issuer_not_ready"));
    assert_eq!(unseen.gaps, [("certificates", Unknown::Undecoded("Certificate").into())]);
    // One of a namespace is another one, and a request of istio-csr names it.
    let named = |namespace: &str| {
        let issuer = IssuerRef { name: "mesh".into(), ..IssuerRef::default() };
        let request = CertificateRequest { issuer, stage: Stage::Issued, ..Default::default() };
        let facts = put(installed(), "mesh/mesh", broken(HOUR));
        let findings = ask(&put(facts, &format!("{namespace}/a"), request)).findings;
        findings[0].split(' ').next().unwrap().to_owned()
    };
    assert_eq!(named("mesh"), "certificates.issuer_not_ready");
    assert_eq!(named("other"), "certificates.issuer_unused");
    let young = put(one(|_| {}), "/acme", ClusterIssuer(broken(9 * MINUTE)));
    assert_eq!(ask(&young).findings, [""; 0]);
}

#[test]
fn of_each_issuer_the_oldest_request_is_told() {
    let request = |stage, age, name: &str| CertificateRequest {
        created: ago(age),
        issuer: IssuerRef { name: name.into(), ..IssuerRef::default() },
        stage,
        ..CertificateRequest::default()
    };
    let facts = put(installed(), "mesh/b", request(Stage::Pending, 3 * HOUR, "mesh"));
    let facts = put(facts, "mesh/a", request(Stage::Pending, 2 * HOUR, "mesh"));
    let facts = put(facts, "mesh/c", request(Stage::Pending, HOUR, "other"));
    let facts = put(facts, "mesh/d", request(Stage::Issued, 3 * HOUR, "done"));
    let facts = put(facts, "mesh/e", request(Stage::Denied, 3 * HOUR, "done"));
    let facts = put(facts, "mesh/f", request(Stage::Failed, 3 * HOUR, "done"));
    assert_eq!(
        ask(&facts).findings,
        [
            "certificates.request_stuck CertificateRequest mesh/b: approved, and not answered for 3 h, \
             and 1 more, by Issuer mesh: look at its events",
            "certificates.request_stuck CertificateRequest mesh/c: approved, and not answered for 60 \
             min, by Issuer other: look at its events",
        ]
    );
}

#[test]
fn the_newest_request_is_the_one_that_counts() {
    let old = CertificateRequest {
        created: ago(90 * DAY),
        certificate: Some("web".into()),
        stage: Stage::Issued,
        ..CertificateRequest::default()
    };
    let facts = put(one(overdue(9)), "shop/web-9", old.clone());
    let facts = asks(facts, Stage::Denied, DAY, None);
    let message = &ask(&facts).findings[0];
    let end = "; its request web-2 was denied: look at the policy that denies it";
    assert!(message.ends_with(end), "{message}");
    let none = &ask(&put(one(overdue(9)), "shop/web-9", old)).findings[0];
    assert!(none.ends_with(", and nothing asks for a new one: look at the log of cert-manager"));
}

#[test]
fn without_cert_manager_or_any_use_of_it_there_is_nothing_to_ask() {
    assert_eq!(ask(&cluster()).result, Err(Skipped::NotInstalled.into()));
    assert_eq!(ask(&installed()).result, Err(Skipped::NotApplicable.into()));
    let going = ask(&one(|it| (it.terminating, it.not_after) = (true, ago(DAY))));
    assert_eq!((going.result, going.findings), (Ok(()), vec![]));
}

#[test]
fn what_cannot_be_read_is_unknown_or_a_gap() {
    let facts = one(|_| {}).unlisted::<Certificate>();
    assert_eq!(ask(&facts).result, Err(Unknown::NotListed("Certificate").into()));
    // Without the requests nothing is said of them.
    let late = ask(&one(overdue(9)).unlisted::<CertificateRequest>());
    let unseen = Unknown::NotListed("CertificateRequest");
    assert_eq!(late.gaps, [("certificaterequests", unseen.into())]);
    assert!(
        late.findings[0].ends_with("in 21 d: look at its issuer, and at the log of cert-manager")
    );
    // An issuer that cannot be read may be the one that is named.
    let renamed = one(|it| it.issuer.name = "other".into());
    let undecoded = ask(&renamed.undecoded::<ClusterIssuer>("/broken"));
    let broken = Unknown::Undecoded("ClusterIssuer");
    assert_eq!(undecoded.gaps, [("clusterissuers", broken.into())]);
    assert_eq!(undecoded.findings, [""; 0]);
    let absent = one(|it| it.issuer.name = "other".into()).with(Event::<ClusterIssuer>::Absent);
    assert_eq!((ask(&absent).findings, ask(&absent).gaps), (vec![], vec![]));
}

#[test]
fn a_challenge_that_stays_is_let_go_by_a_command_that_names_it() {
    let stays = Challenge { deleted: ago(DAY), ..Challenge::default() };
    let mut out = Output::default();
    CHECK.ask(&put(one(|_| {}), "shop/old", stays), &mut out).expect("an answer");
    let commands: Vec<String> = remedy::commands(&out.findings[0]).map(|(_, it)| it).collect();
    let fix = "kubectl -n shop patch challenges.acme.cert-manager.io old --type=merge -p \
               '{\"metadata\":{\"finalizers\":null}}'";
    assert!(commands.iter().any(|it| it == fix), "{commands:?}");
}
