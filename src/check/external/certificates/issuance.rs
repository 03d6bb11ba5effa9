//! What holds up the newest request for a Certificate.

use std::collections::BTreeMap;

use crate::check::Output;
use crate::check::words::some;
use crate::cluster::{Cluster, Table};
use crate::model::{
    Certificate, CertificateRequest, Challenge, Fact, Key, Name, Order, Stage, Waits,
};

/// The requests of Certificates, their Orders, and the Challenges of those.
pub(super) struct Issuance<'a> {
    /// Whether the requests are all known, so that none being there means something.
    is_known: bool,
    is_empty: bool,
    /// The newest of each Certificate.
    newest: BTreeMap<Key, (&'a Key, &'a CertificateRequest)>,
    orders: BTreeMap<Key, (&'a Key, &'a Order)>,
    /// Those that have not ended, by their Order.
    challenges: BTreeMap<Key, Vec<&'a Challenge>>,
}

impl<'a> Issuance<'a> {
    pub(super) fn of(cluster: &'a Cluster, out: &mut Output) -> Self {
        let requests = read::<CertificateRequest>(cluster, "requests", out);
        let orders = read::<Order>(cluster, "orders", out);
        let challenges = read::<Challenge>(cluster, "challenges", out);
        let mut newest: BTreeMap<Key, (&Key, &CertificateRequest)> = BTreeMap::new();
        for (key, request) in requests.into_iter().flat_map(Table::iter) {
            let Some(of) = beside(key, &request.certificate) else { continue };
            let known = newest.entry(of).or_insert((key, request));
            if request.created > known.1.created {
                *known = (key, request);
            }
        }
        let all = orders.into_iter().flat_map(Table::iter);
        let orders = all.filter_map(|it| Some((beside(it.0, &it.1.request)?, it))).collect();
        let mut waiting: BTreeMap<Key, Vec<&Challenge>> = BTreeMap::new();
        for (key, challenge) in challenges.into_iter().flat_map(Table::iter) {
            let of = beside(key, &challenge.order).filter(|_| !challenge.ended);
            if let Some(of) = of {
                waiting.entry(of).or_default().push(challenge);
            }
        }
        Self {
            is_known: requests.is_some_and(|requests| !requests.has_undecoded()),
            is_empty: requests.is_none_or(|requests| requests.iter().next().is_none()),
            newest,
            orders,
            challenges: waiting,
        }
    }

    /// Whether nobody asks for a certificate.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Says what holds up a Certificate, and where to look next.
    pub(super) fn words(&self, key: &Key, certificate: &Certificate) -> String {
        let issuer = ": look at its issuer, and at the log of cert-manager";
        let Some((name, request)) = self.newest.get(key) else {
            return match certificate.issuing {
                _ if !self.is_known => issuer.to_owned(),
                Some(_) => format!("; no request was made for it{issuer}"),
                None => ", and nothing asks for a new one: look at the log of cert-manager".into(),
            };
        };
        match request.stage {
            Stage::Issued if certificate.issuing.is_none() => {
                ", and nothing asks for a new one: look at the log of cert-manager".to_owned()
            }
            Stage::Issued => {
                format!("; its request {} was issued: look at the log of cert-manager", name.name)
            }
            Stage::Unapproved => {
                let next = "look at what approves requests";
                format!("; nobody has approved its request {}: {next}", name.name)
            }
            Stage::Denied => {
                let next = "look at the policy that denies it";
                format!("; its request {} was denied: {next}", name.name)
            }
            Stage::Failed | Stage::Pending => self.order(name, request.stage),
        }
    }

    fn order(&self, request: &Key, stage: Stage) -> String {
        let done = if stage == Stage::Failed { "has failed" } else { "waits for its issuer" };
        let words = format!("; its request {} {done}", request.name);
        let Some((key, order)) = self.orders.get(request) else {
            return format!("{words}: look at the events of the request");
        };
        let challenges = self.challenges.get(key).map_or(&[][..], Vec::as_slice);
        match challenges {
            [] if order.state.is_empty() => {
                format!("{words}, and its order was not looked at: look at the log of cert-manager")
            }
            [] => format!("{words}, and its order is {}: look at the order", order.state),
            [first, rest @ ..] => {
                let more = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" and {} more", some(rest.len(), "challenge"))
                };
                format!("; its {}{more}", waiting(first))
            }
        }
    }
}

/// Says what a challenge waits for, and where to look next.
pub(super) fn waiting(challenge: &Challenge) -> String {
    let Challenge { class, name, waits, .. } = challenge;
    let class = if class.is_empty() { "" } else { &format!("{class} ") };
    let (what, next) = match waits {
        Waits::Turn => ("waits for its turn".to_owned(), "look at the other challenges"),
        Waits::Presented => {
            ("is not presented yet".to_owned(), "look at the rights of the solver at its provider")
        }
        Waits::Record => (
            "waits for a record of DNS that is not seen yet".to_owned(),
            "look at whom its zone is delegated to, and at what cert-manager asks",
        ),
        Waits::Address => {
            ("waits for an address of that name".to_owned(), "look at the record of that name")
        }
        Waits::Status(code) => {
            (format!("is answered with status {code}"), "look at what serves port 80 of that name")
        }
        Waits::Answer => {
            ("is answered by something else".to_owned(), "look at what serves port 80 of that name")
        }
        Waits::Silence => (
            "is not answered".to_owned(),
            "look at whether port 80 of that name is reached from inside",
        ),
        Waits::Limit => {
            ("has to pause, says the server".to_owned(), "look at its limits before more attempts")
        }
        Waits::Other => ("is pending".to_owned(), "look at its reason"),
    };
    format!("{class}challenge of {name} {what}: {next}")
}

/// Names what an object is for, which lies in its own namespace.
fn beside(key: &Key, name: &Option<Name>) -> Option<Key> {
    Some(Key { namespace: key.namespace.clone(), name: name.clone()? })
}

/// Reads a kind without which there is an answer as well; why it cannot be read is a gap already.
pub(super) fn read<'a, T: Fact>(
    cluster: &'a Cluster,
    part: &'static str,
    out: &mut Output,
) -> Option<&'a Table<T>> {
    let table = cluster.read::<T>().ok()?;
    out.lacks(part, table);
    Some(table)
}
