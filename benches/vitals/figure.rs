//! One line of the table.

use std::fmt;

/// A measured value, and what it must not exceed.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) must: Option<f64>,
}

impl Figure {
    pub(crate) fn new(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned(), must: None }
    }

    /// Sets what the value must not exceed.
    pub(crate) fn at_most(self, must: f64) -> Self {
        Self { must: Some(must), ..self }
    }

    pub(crate) fn is_missed(&self) -> bool {
        // Not `>`: what is no number is missed too.
        self.must.is_some_and(
            |must| !matches!(self.value.partial_cmp(&must), Some(order) if order.is_le()),
        )
    }

    /// Returns it as it goes from one process to another.
    pub(crate) fn line(&self) -> String {
        let Self { name, value, unit, must } = self;
        let must = must.map_or_else(String::new, |must| must.to_string());
        format!("figure\t{name}\t{value}\t{unit}\t{must}")
    }

    /// Reads what [`line`](Self::line) wrote.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("figure\t")?.split('\t');
        let (name, value, unit) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
        let must = fields.next()?;
        let must = if must.is_empty() { None } else { Some(must.parse().ok()?) };
        Some(Self { must, ..Self::new(name, value, unit) })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, must } = self;
        write!(f, "{name:<52} {value:>12.2} {unit:<16}")?;
        match must {
            None => Ok(()),
            Some(must) => {
                let verdict = if self.is_missed() { "MISSED" } else { "ok" };
                write!(f, " must be at most {must:>6}: {verdict}")
            }
        }
    }
}
