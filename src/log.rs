//! Logs on standard error: one line each, as logfmt or JSON, and no line again and again.

mod writer;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;
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

use crate::family::{Desc, Family, Rows};
use writer::Lines;

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
        .with_writer(|| Lines)
        // What cannot be written is counted; to say so would be to write.
        .log_internal_errors(false)
        .with_ansi(false)
        .event_format(Format { form, repeats: Mutex::default() })
        .with_filter_reloading();
    let handle = builder.reload_handle();
    builder.try_init().map_err(|error| format!("cannot begin to log: {error}"))?;
    panic::set_hook(Box::new(panicked));
    Ok(Box::new(move |level| {
        let set = filter(level, directives.as_deref())
            .and_then(|filter| handle.reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = set {
            tracing::error!(error, "the level of the log stays as it was");
        }
    }))
}

/// Writes a line that is for a person, and no event.
pub fn tell(line: fmt::Arguments<'_>) {
    _ = Lines.write_all(format!("{line}\n").as_bytes());
}

/// Waits a second at most for what was logged to be written.
pub fn flush() {
    writer::flush();
}

/// Logs a panic: the usual hook writes to standard error itself, and waits for it.
fn panicked(panic: &panic::PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let said = panic.payload();
    let why = said.downcast_ref().copied();
    let why = why.or_else(|| said.downcast_ref().map(String::as_str)).unwrap_or("it says no more");
    let thread = thread::current();
    tracing::error!(at, why, thread = thread.name().unwrap_or_default(), "panicked");
}

/// The families of the log.
pub static FAMILIES: &[Desc] = &[DROPPED.desc()];

static DROPPED: Family<0> = Family::counter(
    "netvitals_log_dropped_lines_total",
    "Lines of the log that standard error did not take, or not in time.",
    [],
);

/// Returns the counts as they are now.
pub fn rows() -> Rows {
    let mut rows = Rows::default();
    rows.push(&DROPPED, [], writer::dropped() as f64);
    rows
}

fn filter(level: Level, directives: Option<&str>) -> Result<EnvFilter, String> {
    let own = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    // What the libraries say below `info` comes only by RUST_LOG.
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
struct Format {
    form: Form,
    repeats: Mutex<Repeats>,
}

impl<S, N> FormatEvent<S, N> for Format
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
        let mut fields = Fields::default();
        event.record(&mut fields);
        let about = event.metadata();
        let mut suppressed = 0;
        if *about.level() <= tracing::Level::INFO {
            let key = fields.key(about.target());
            // A panic elsewhere leaves at worst one line too many.
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            match repeats.admit(key, Instant::now()) {
                Some(count) => suppressed = count,
                None => return Ok(()),
            }
        }
        if suppressed > 0 {
            fields.others.push(("suppressed", suppressed.into()));
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let level = about.level().as_str().to_ascii_lowercase();
        self.form.write(writer, [&time, &level, about.target()], fields)
    }
}

impl Form {
    fn write(self, mut to: Writer<'_>, head: [&str; 3], fields: Fields) -> fmt::Result {
        let head = ["ts", "level", "target"].into_iter().zip(head.map(Value::from));
        let fields = head.chain([("msg", fields.message.into())]).chain(fields.others);
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

/// Of seconds and ratios nothing below a thousandth says anything.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Two events with one key say the same, however their errors and their numbers differ.
    fn key(&self, target: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (target, &self.message).hash(&mut hasher);
        let differs = |(name, value): &&(&str, Value)| *name == "error" || value.is_number();
        for (name, value) in self.others.iter().filter(|field| !differs(field)) {
            (name, value.to_string()).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn push(&mut self, field: &Field, value: Value) {
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
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
        self.push(field, rounded(value).into());
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

    fn line(form: Form, others: Vec<(&'static str, Value)>) -> String {
        let mut text = String::new();
        let fields = Fields { message: "task failed, will restart".to_owned(), others };
        let head = ["2026-01-02T03:04:05Z", "warn", "netvitals::task"];
        form.write(Writer::new(&mut text), head, fields).unwrap();
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
        let fields = |task: &str, error: &str, pause: f64| Fields {
            message: "failed".to_owned(),
            others: vec![("task", task.into()), ("error", error.into()), ("pause", pause.into())],
        };
        assert_eq!(fields("a", "x", 1.5).key("t"), fields("a", "y", 2.5).key("t"));
        assert_ne!(fields("a", "x", 1.5).key("t"), fields("b", "x", 1.5).key("t"));
    }

    #[test]
    fn a_fraction_is_told_to_a_thousandth() {
        assert_eq!(
            [1.749_541_176_000_000_1, 0.0004, 60.0].map(|value| rounded(value).to_string()),
            ["1.75", "0", "60"]
        );
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
