//! Logs on standard error: one line each, as logfmt or JSON, and no line again and again.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What is worth a line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What an operator must know of.
    Error,
    /// What is degraded.
    Warn,
    /// What changed.
    Info,
    /// What happens.
    Debug,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `key=value`.
    Logfmt,
    /// One object a line.
    Json,
}

/// A line that says the same as one before it is left out for this long.
const QUIET: Duration = Duration::from_secs(30);

/// At most so many lines are remembered; beyond them nothing is left out.
const REMEMBERED: usize = 1024;

/// Says from then on what is worth a line.
pub type SetLevel = Box<dyn Fn(Level)>;

/// Begins to log, and returns what sets another level.
///
/// `directives` are those of `RUST_LOG`; where they are given, they say what is worth a line.
///
/// # Errors
///
/// Fails with what is wrong with `directives`, or when logging has begun before.
pub fn start(level: Level, form: Form, directives: Option<String>) -> Result<SetLevel, String> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level, directives.as_deref())?)
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(Line { form, repeats: Mutex::default() })
        .with_filter_reloading();
    let handle = builder.reload_handle();
    builder.try_init().map_err(|error| format!("cannot begin to log: {error}"))?;
    Ok(Box::new(move |level| {
        let set = filter(level, directives.as_deref())
            .and_then(|filter| handle.reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = set {
            tracing::error!(error, "the level of the log stays as it was");
        }
    }))
}

/// Whether a person looks at standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

fn filter(level: Level, directives: Option<&str>) -> Result<EnvFilter, String> {
    let own = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    // What the libraries say below `info` is for those who ask by RUST_LOG.
    let others = if level == Level::Debug { "info" } else { own };
    let directives = match directives {
        Some(directives) => directives.to_owned(),
        None => format!("{others},netvitals={own}"),
    };
    // kube logs an error for every failed try, and so do we, once.
    let silenced = if directives.contains("kube_client") { "" } else { ",kube_client=off" };
    EnvFilter::builder().parse(format!("{directives}{silenced}")).map_err(|error| {
        format!("RUST_LOG={directives:?} cannot be read ({error}): write it as netvitals=debug")
    })
}

/// Writes events as lines.
struct Line {
    form: Form,
    repeats: Mutex<Repeats>,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let about = event.metadata();
        let mut suppressed = 0;
        if *about.level() <= tracing::Level::INFO {
            let key = said.key(about.target());
            // A panic elsewhere leaves at worst one line too many.
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            match repeats.admit(key, Instant::now()) {
                Some(count) => suppressed = count,
                None => return Ok(()),
            }
        }
        if suppressed > 0 {
            said.fields.push(("suppressed", suppressed.into()));
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = about.level().as_str().to_ascii_lowercase();
        self.form.write(writer, [&time, &level, about.target()], said)
    }
}

impl Form {
    fn write(self, mut to: Writer<'_>, head: [&str; 3], said: Said) -> fmt::Result {
        let head = ["ts", "level", "target"].into_iter().zip(head.map(Value::from));
        let fields = head.chain([("msg", said.message.into())]).chain(said.fields);
        match self {
            Self::Json => {
                let line: Map<String, Value> =
                    fields.map(|(name, value)| (name.to_owned(), value)).collect();
                writeln!(to, "{}", Value::Object(line))
            }
            Self::Logfmt => {
                for (place, (name, value)) in fields.enumerate() {
                    let space = if place == 0 { "" } else { " " };
                    match value {
                        Value::String(text) if is_plain(&text) => {
                            write!(to, "{space}{name}={text}")?
                        }
                        value => write!(to, "{space}{name}={value}")?,
                    }
                }
                writeln!(to)
            }
        }
    }
}

/// Whether `text` is one word of logfmt; the rest is quoted as in JSON.
fn is_plain(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_graphic() && !matches!(char, '"' | '=' | '\\');
    !text.is_empty() && text.chars().all(plain)
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    /// Two events with one key say the same, however their errors and their numbers differ.
    fn key(&self, target: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (target, &self.message).hash(&mut hasher);
        let differs = |(name, value): &&(&str, Value)| *name == "error" || value.is_number();
        for (name, value) in self.fields.iter().filter(|field| !differs(field)) {
            (name, value.to_string()).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn push(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            _ => self.push(field, text.into()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}

/// When each line was written last, and how often it was left out since.
#[derive(Default)]
struct Repeats(HashMap<u64, (Instant, u64)>);

impl Repeats {
    /// Returns how many equal lines were left out before this one; `None` leaves it out too.
    fn admit(&mut self, key: u64, now: Instant) -> Option<u64> {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < QUIET;
        if let Some((at, count)) = self.0.get_mut(&key) {
            if is_recent(*at) {
                *count += 1;
                return None;
            }
            *at = now;
            return Some(std::mem::take(count));
        }
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (at, _)| is_recent(*at));
        }
        if self.0.len() < REMEMBERED {
            self.0.insert(key, (now, 0));
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(form: Form, fields: Vec<(&'static str, Value)>) -> String {
        let mut text = String::new();
        let said = Said { message: "task failed, will restart".to_owned(), fields };
        let head = ["2026-01-02T03:04:05Z", "warn", "netvitals::task"];
        form.write(Writer::new(&mut text), head, said).unwrap();
        text
    }

    #[test]
    fn a_line_of_logfmt_is_quoted_where_it_must_be() {
        let fields = vec![
            ("task", "pods".into()),
            ("error", "a \"b\"\n\u{1b}[31m".into()),
            ("count", 7.into()),
            ("empty", "".into()),
        ];
        assert_eq!(
            line(Form::Logfmt, fields),
            "ts=2026-01-02T03:04:05Z level=warn target=netvitals::task \
             msg=\"task failed, will restart\" task=pods error=\"a \\\"b\\\"\\n\\u001b[31m\" \
             count=7 empty=\"\"\n"
        );
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let line = line(Form::Json, vec![("ok", true.into())]);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&read["msg"], &read["ok"]),
            (&"task failed, will restart".into(), &true.into())
        );
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_repeated_line_is_left_out_for_half_a_minute_and_then_counted() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        let mut admit = |key, seconds| repeats.admit(key, start + Duration::from_secs(seconds));
        assert_eq!(admit(1, 0), Some(0));
        assert_eq!((admit(1, 1), admit(2, 1), admit(1, 29)), (None, Some(0), None));
        assert_eq!((admit(1, 30), admit(1, 31)), (Some(2), None));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let start = Instant::now();
        let mut repeats = Repeats::default();
        for key in 0..2 * REMEMBERED as u64 {
            assert_eq!(repeats.admit(key, start), Some(0));
        }
        assert_eq!(repeats.0.len(), REMEMBERED);
        assert_eq!(repeats.admit(u64::MAX, start + QUIET), Some(0));
        assert_eq!(repeats.0.len(), 1);
    }

    #[test]
    fn the_text_of_an_error_and_a_number_make_no_new_line() {
        let said = |task: &str, error: &str, pause: f64| Said {
            message: "failed".to_owned(),
            fields: vec![("task", task.into()), ("error", error.into()), ("pause", pause.into())],
        };
        assert_eq!(said("a", "x", 1.5).key("t"), said("a", "y", 2.5).key("t"));
        assert_ne!(said("a", "x", 1.5).key("t"), said("b", "x", 1.5).key("t"));
    }

    #[test]
    fn kube_is_silent_unless_asked_and_bad_directives_name_the_remedy() {
        let text = |level, directives| filter(level, directives).map(|filter| filter.to_string());
        assert!(text(Level::Info, None).unwrap().contains("kube_client=off"));
        assert!(text(Level::Debug, None).unwrap().contains("netvitals=debug"));
        assert!(!text(Level::Info, Some("kube_client=debug")).unwrap().contains("off"));
        let error = text(Level::Info, Some("netvitals=loud")).unwrap_err();
        assert!(error.ends_with("write it as netvitals=debug"), "{error}");
    }
}
