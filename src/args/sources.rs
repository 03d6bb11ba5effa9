//! Which of several sources a value comes from, and where in the file it stands.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_saphyr::Spanned;

use crate::config;
use crate::setting::Period;

/// What was given on the command line or by the environment, and what came from the file.
pub(super) struct Sources<'a> {
    given: &'a ArgMatches,
    /// Where in the file a length of time came from.
    places: HashMap<&'static str, String>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(given: &'a ArgMatches) -> Self {
        Self { given, places: HashMap::new() }
    }

    /// Whether the command line or the environment says it.
    pub(super) fn gives(&self, id: &str) -> bool {
        let source = self.given.value_source(id);
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    }

    /// Takes what the file says in the place of a default, and returns whether it did.
    pub(super) fn fill<T>(&self, id: &str, slot: &mut T, file: Option<T>) -> bool {
        match file {
            Some(value) if !self.gives(id) => {
                *slot = value;
                true
            }
            _ => false,
        }
    }

    /// Takes a length of time, and notes where it stands: only later is it seen to be too long.
    pub(super) fn time(
        &mut self,
        id: &'static str,
        slot: &mut Period,
        file: Option<Spanned<Period>>,
        path: Option<&Path>,
    ) {
        let place = file.as_ref().map(|time| config::place(time.referenced));
        if self.fill(id, slot, file.map(|time| time.value))
            && let (Some(path), Some(place)) = (path, place)
        {
            self.places.insert(id, format!("{}{place}", path.display()));
        }
    }

    /// Refuses a time outside of its bounds.
    pub(super) fn within(
        &self,
        id: &str,
        value: Period,
        least: Duration,
        most: Duration,
    ) -> Result<(), String> {
        if (least..=most).contains(&value.0) {
            return Ok(());
        }
        let (least, most) = (Period(least), Period(most));
        let place = self.places.get(id).map_or("", String::as_str);
        let name = id.replacen('_', ".", 1);
        Err(format!("{place}{name} is {value}: write a time from {least} to {most}"))
    }
}
