//! What one agent sees of a Service and of its endpoints.

use std::collections::BTreeMap;

use crate::model::{Key, ProbeKind, Reached, Target, Window};

/// Fewer attempts than this say nothing.
const ENOUGH: u64 = 3;

/// One port of a Service.
pub(super) type Port<'a> = (&'a Key, u16);

/// What one agent sees of one port.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// Attempts to the Service's address.
    pub(super) service: Window,
    /// Endpoints that mostly answer directly.
    answering: usize,
    /// Those that do not.
    silent: usize,
}

/// What that means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum View {
    /// The Service answers.
    Fine,
    /// It does not, and most of its endpoints do.
    Broken,
    /// It always does, and none of its endpoints does.
    OnlyByService,
    /// Neither does.
    Neither,
}

impl Sight {
    pub(super) fn view(&self) -> View {
        let Window { attempts, failures, .. } = self.service;
        if 2 * failures >= attempts {
            // Most, because of a Service of which half of the endpoints are dead half fails.
            if self.answering > self.silent { View::Broken } else { View::Neither }
        } else if failures == 0 && self.silent > 0 && self.answering == 0 {
            View::OnlyByService
        } else {
            View::Fine
        }
    }

    pub(super) fn has_endpoints(&self) -> bool {
        self.answering + self.silent > 0
    }
}

pub(super) fn is_service(row: &Reached) -> bool {
    (row.target, row.probe) == (Target::Service, ProbeKind::Tcp)
}

/// Returns what an agent sees of each port that it tried often enough.
pub(super) fn all(rows: &[Reached]) -> BTreeMap<Port<'_>, Sight> {
    let mut sights: BTreeMap<Port<'_>, Sight> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.probe == ProbeKind::Tcp) {
        let (Some(service), Some(port)) = (&row.service, row.port) else { continue };
        let sight = sights.entry((service, port)).or_default();
        match row.target {
            Target::Service => sight.service.add(&row.attempts),
            Target::Endpoint if row.attempts.attempts >= ENOUGH => {
                let Window { attempts, failures, .. } = row.attempts;
                let side =
                    if 2 * failures < attempts { &mut sight.answering } else { &mut sight.silent };
                *side += 1;
            }
            _ => {}
        }
    }
    sights.retain(|_, sight| sight.service.attempts >= ENOUGH);
    sights
}

/// Whether an agent reaches no other node at all, so that it says nothing of Services.
pub(super) fn is_cut_off(rows: &[Reached]) -> bool {
    let away = |row: &&Reached| {
        matches!(row.target, Target::Node | Target::PeerPod)
            && row.probe == ProbeKind::Tcp
            && row.attempts.attempts >= ENOUGH
    };
    let mut away = rows.iter().filter(away).peekable();
    away.peek().is_some() && away.all(|row| row.attempts.failures == row.attempts.attempts)
}
