//! What roles say to each other: JSON that names its kind and its schema's version.
//!
//! Any JSON object would be an empty plan or an observation of nothing otherwise, and an agent
//! would drop a good plan for what some other server answers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Observation, Plan};

/// The version, which grows when what is there changes its meaning; what is new does not count.
const VERSION: u32 = 1;

/// Something that one role says to another.
pub trait Spoken: DeserializeOwned + Serialize {
    /// What it is called.
    const KIND: &'static str;
}

impl Spoken for Observation {
    const KIND: &'static str = "observation";
}

impl Spoken for Plan {
    const KIND: &'static str = "plan";
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    kind: String,
    schema_version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a, T> {
    kind: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// Returns what is sent.
///
/// # Errors
///
/// Returns what cannot be written.
pub fn write<T: Spoken>(body: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Whole { kind: T::KIND, schema_version: VERSION, body })
}

/// Reads what was received.
///
/// # Errors
///
/// Fails when it is something else, or of another version.
pub fn read<T: Spoken>(json: &[u8]) -> Result<T, String> {
    let text = |error: serde_json::Error| error.to_string();
    let Head { kind, schema_version } = serde_json::from_slice(json).map_err(text)?;
    if kind != T::KIND {
        return Err(format!("it is of kind {kind:?}, and not {:?}", T::KIND));
    }
    if schema_version != VERSION {
        return Err(format!(
            "its schema has version {schema_version}, and not {VERSION}: finish the rollout"
        ));
    }
    serde_json::from_slice(json).map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Answers, Captured, Cpu, Dns, DnsPlan, DnsRow, ExpectedPlan, PodPlan, Reached, Replica,
        ServicePlan, Window,
    };

    #[test]
    fn keys_are_written_as_those_of_the_report() {
        let values = [
            serde_json::to_value(Answers::default()),
            serde_json::to_value(Captured::default()),
            serde_json::to_value(Cpu::default()),
            serde_json::to_value(Dns::default()),
            serde_json::to_value(DnsPlan::default()),
            serde_json::to_value(DnsRow::default()),
            serde_json::to_value(ExpectedPlan::default()),
            serde_json::to_value(Observation::default()),
            serde_json::to_value(Plan::default()),
            serde_json::to_value(PodPlan::default()),
            serde_json::to_value(Reached::default()),
            serde_json::to_value(Replica::default()),
            serde_json::to_value(ServicePlan::default()),
            serde_json::to_value(Window::default()),
        ];
        for value in values.map(Result::unwrap) {
            let keys = value.as_object().unwrap().keys();
            let snakes: Vec<_> = keys.filter(|key| key.contains('_')).collect();
            assert_eq!(snakes, [""; 0], "{value}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let plan = Plan { services: vec![Default::default()], ..Plan::default() };
        let json = write(&plan).unwrap();
        assert_eq!(read::<Plan>(&json), Ok(plan));
        assert!(read::<Observation>(&json).unwrap_err().contains("it is of kind \"plan\""));
        for (odd, why) in [
            ("{}", "missing field `kind`"),
            ("[]", "invalid"),
            ("", "EOF"),
            ("<html>", "expected value"),
            (r#"{"peers": [], "nodes": []}"#, "missing field `kind`"),
            (r#"{"kind": "plan"}"#, "missing field `schemaVersion`"),
            (r#"{"schemaVersion": 1, "verdict": "healthy"}"#, "missing field `kind`"),
            (r#"{"kind": "plan", "schemaVersion": "1"}"#, "invalid type"),
            (r#"{"kind": "plan", "schemaVersion": 2}"#, "version 2, and not 1"),
            (r#"{"kind": "plan", "schemaVersion": 1, "peers": 7}"#, "invalid type"),
        ] {
            let error = read::<Plan>(odd.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{odd}: {error}");
        }
        let newer = r#"{"kind": "plan", "schemaVersion": 1, "moons": [], "peers": []}"#;
        assert_eq!(read(newer.as_bytes()), Ok(Plan::default()), "what is new is passed over");
    }
}
