//! The chart as far as it can be held without Helm: its dashboards, version, schema and table of values.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use netvitals::watch;
use serde_json::Value;

const CHART: &str = "deploy/helm/netvitals";

/// The one value that only a parent chart has, for the condition of its dependency.
const OF_A_PARENT: (&str, &str) = ("", "enabled");

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a generated file with what it should be, or writes it.
fn golden(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, expected).expect("a file of this repository");
    }
    let is = fs::read_to_string(path).unwrap_or_default();
    let differs = is.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(
        is == expected,
        "{path}: run UPDATE_GOLDEN=1 cargo test --test repository deploy: {differs:?}"
    );
}

#[test]
fn the_chart_holds_every_dashboard() {
    let names = |folder: &str| -> BTreeSet<OsString> {
        let entries = fs::read_dir(folder).expect("a folder of this repository");
        let names = entries.map(|entry| entry.expect("it can be read").file_name());
        names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "json")).collect()
    };
    assert_eq!(names(&format!("{CHART}/files/dashboards")), names("dashboards"));
}

/// The rules of the cluster role: one for each group, and one for each kind of one name.
fn rules() -> String {
    let mut rules: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for kind in watch::ALL.iter().map(|watch| watch.kind) {
        rules.entry((kind.group, kind.only)).or_default().insert(kind.plural);
    }
    let rule = |((group, only), plurals): (&(&str, Option<&str>), &BTreeSet<&str>)| {
        let group = if group.is_empty() { "\"\"" } else { group };
        let plurals = plurals.iter().copied().collect::<Vec<_>>().join(", ");
        let only = only.map_or_else(String::new, |name| format!("    resourceNames: [{name}]\n"));
        format!(
            "  - apiGroups: [{group}]\n    resources: [{plurals}]\n{only}    verbs: [list, watch]\n"
        )
    };
    rules.iter().map(rule).collect()
}

#[test]
fn the_role_of_the_chart_may_what_is_watched() {
    const BEGIN: &str =
        "  {{- /* rules: written by UPDATE_GOLDEN=1 cargo test --test repository deploy */}}\n";
    const END: &str = "  {{- /* end of rules */}}\n";
    let path = format!("{CHART}/templates/rbac.yaml");
    let text = read(&path);
    let (before, rest) = text.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    golden(&path, &format!("{before}{BEGIN}{}{END}{after}", rules()));
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = yaml(&format!("{CHART}/Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_release_is_tested_and_has_the_version_of_its_tag() {
    let workflow = yaml(".github/workflows/release.yaml");
    let jobs = workflow["jobs"].as_object().expect("jobs");
    let steps = jobs["tested"]["steps"].as_array().expect("steps");
    let run: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert!(run.contains(&"make lint test"), "{run:?}");
    assert!(run.iter().any(|it| it.contains("GITHUB_REF_NAME") && it.contains("Cargo.toml")));
    for name in jobs.keys().filter(|name| *name != "tested") {
        let mut job = name.as_str();
        while job != "tested" {
            job = jobs[job]["needs"].as_str().unwrap_or_else(|| panic!("{name} waits for no test"));
        }
    }
}

/// Follows a reference within the schema.
fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")),
        None => part,
    }
}

/// Calls `see` with every object that the schema describes, and the path to it.
fn objects<'a>(
    schema: &'a Value,
    part: &'a Value,
    path: &str,
    see: &mut dyn FnMut(&str, &'a Value),
) {
    let part = resolved(schema, part);
    let is_object = part["type"] == "object" || part["properties"].is_object();
    if is_object {
        see(path, part);
    }
    for (key, below) in part["properties"].as_object().into_iter().flatten() {
        objects(schema, below, &format!("{path}.{key}"), see);
    }
    if part["items"].is_object() {
        objects(schema, &part["items"], &format!("{path}[]"), see);
    }
}

#[test]
fn the_schema_is_closed_at_every_level() {
    let schema: Value =
        serde_json::from_str(&read(format!("{CHART}/values.schema.json"))).expect("JSON");
    let mut seen = 0;
    objects(&schema, &schema, "", &mut |path, part| {
        seen += 1;
        // A parent's other values are in `global`; parts of Kubernetes objects are the API server's to check.
        let open = path == ".global" || part["properties"].is_null();
        let closed = part["additionalProperties"] == false
            || (part["properties"].is_null() && part["additionalProperties"].is_object());
        assert!(closed || open, "{path} takes any key");
    });
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let schema: Value =
        serde_json::from_str(&read(format!("{CHART}/values.schema.json"))).expect("JSON");
    let values = yaml(&format!("{CHART}/values.yaml"));
    objects(&schema, &schema, "", &mut |path, part| {
        // Its keys are the program's, and none is set unless given.
        if path.starts_with(".config") || path.contains("[]") {
            return;
        }
        let value = values.pointer(&path.replace('.', "/")).unwrap_or(&Value::Null);
        for (key, _) in part["properties"].as_object().into_iter().flatten() {
            let optional = path.ends_with(".resources") || (path, &**key) == OF_A_PARENT;
            assert!(optional || value.get(key).is_some(), "values.yaml has no {path}.{key}");
        }
        for (key, _) in value.as_object().into_iter().flatten() {
            let known = part["properties"].is_null() || !part["properties"][key].is_null();
            assert!(known, "the schema has no {path}.{key}");
        }
    });
}

#[test]
fn the_schema_knows_the_keys_of_the_configuration_file() {
    let schema: Value =
        serde_json::from_str(&read(format!("{CHART}/values.schema.json"))).expect("JSON");
    let sample = |part: &Value| match part["enum"].as_array() {
        Some(choices) => choices[0].as_str().unwrap_or_default().to_owned(),
        None if part["type"] == "array" => "[scraping]".to_owned(),
        None => "10s".to_owned(),
    };
    let mut text = String::new();
    for (key, part) in schema["properties"]["config"]["properties"].as_object().expect("keys") {
        let part = resolved(&schema, part);
        let Some(below) = part["properties"].as_object() else {
            let value = if key == "dns_service" { "a/b".to_owned() } else { sample(part) };
            text += &format!("{key}: {value}\n");
            continue;
        };
        text += &format!("{key}:\n");
        for (key, part) in below {
            text += &format!("  {key}: {}\n", sample(resolved(&schema, part)));
        }
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), &text).expect("a temporary file");
    netvitals::config::read(file.path()).unwrap_or_else(|error| panic!("{error} in\n{text}"));
}

/// The rows of the table: keys that have a description, with their defaults.
fn table() -> String {
    let values = yaml(&format!("{CHART}/values.yaml"));
    let text = read(format!("{CHART}/values.yaml"));
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    let (mut path, mut description): (Vec<(usize, &str)>, Option<&str>) = (Vec::new(), None);
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(text) = trimmed.strip_prefix("# -- ") {
            description = Some(text);
            continue;
        }
        let Some((key, _)) = trimmed.split_once(':').filter(|_| !trimmed.starts_with(['#', '-']))
        else {
            continue;
        };
        let indent = line.len() - trimmed.len();
        path.retain(|(above, _)| *above < indent);
        path.push((indent, key));
        if let Some(description) = description.take() {
            let keys: Vec<&str> = path.iter().map(|(_, key)| *key).collect();
            let value = values.pointer(&format!("/{}", keys.join("/")));
            let value = value.unwrap_or_else(|| panic!("no value {keys:?}"));
            if keys == ["global"] {
                continue;
            }
            table += &format!("| `{}` | `{value}` | {description} |\n", keys.join("."));
        }
    }
    table
}

#[test]
fn the_chart_s_readme_has_every_value() {
    let path = format!("{CHART}/README.md");
    let readme = read(&path);
    let (mark, end) = (
        "<!-- values: written by UPDATE_GOLDEN=1 cargo test --test repository deploy -->\n",
        "<!-- end of values -->",
    );
    let (before, rest) = readme.split_once(mark).expect("the mark");
    let (_, after) = rest.split_once(end).expect("the end");
    golden(&path, &format!("{before}{mark}{}{end}{after}", table()));
}

#[test]
fn every_value_is_described() {
    let text = read(format!("{CHART}/values.yaml"));
    let described = text.matches("# -- ").count();
    let schema: Value =
        serde_json::from_str(&read(format!("{CHART}/values.schema.json"))).expect("JSON");
    let mut leaves = 0;
    objects(&schema, &schema, "", &mut |path, part| {
        let counted = ![".config", ".resources"].iter().any(|it| path.contains(it));
        for (key, below) in part["properties"].as_object().into_iter().flatten() {
            let below = resolved(&schema, below);
            let is_leaf =
                !below["properties"].is_object() || ["config", "resources"].contains(&&**key);
            let own = (path, &**key) != OF_A_PARENT;
            leaves += usize::from(counted && !path.contains("[]") && is_leaf && own);
        }
    });
    // `global` is described itself, for it is open.
    assert_eq!(described, leaves + 1);
}
