//! The part of Grafana's classic dashboard model (schema 39) that is used, as types.

use serde::Serialize;
use serde_json::{Value, json};

use crate::rules::Rules;

/// How wide a row is, in Grafana's grid.
const COLUMNS: u32 = 24;

/// Where every query goes.
fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A dashboard.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    tags: [&'static str; 1],
    schema_version: u32,
    version: u32,
    editable: bool,
    graph_tooltip: u32,
    timezone: &'static str,
    refresh: &'static str,
    time: Value,
    links: Vec<Value>,
    annotations: Value,
    templating: Value,
    panels: Vec<Panel>,
}

/// A panel, or the title of a row.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Panel {
    id: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    grid_pos: GridPos,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Row {
        collapsed: bool,
        panels: [(); 0],
    },
    #[serde(rename_all = "camelCase")]
    Queries {
        datasource: Value,
        field_config: Box<FieldConfig>,
        options: Value,
        targets: Vec<Value>,
        transformations: Vec<Value>,
        links: Vec<Value>,
    },
}

#[derive(Serialize)]
struct GridPos {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

#[derive(Serialize)]
struct FieldConfig {
    defaults: Defaults,
    overrides: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    unit: &'static str,
    no_value: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u32>,
    color: Value,
    thresholds: Value,
    mappings: Vec<Value>,
    links: Vec<Value>,
    custom: Value,
}

/// A row's title with its id, if it has one, and its panels: side by side while they have room.
pub(super) struct Row {
    pub(super) title: Option<(u32, &'static str)>,
    pub(super) panels: Vec<Panel>,
}

impl Dashboard {
    /// Lays out rows, one below the other.
    pub(super) fn new(rows: Vec<Row>) -> Self {
        let mut panels = Vec::new();
        let mut y = 0;
        for Row { title, panels: below } in rows {
            if let Some((id, title)) = title {
                let grid_pos = GridPos { x: 0, y, w: COLUMNS, h: 1 };
                let content = Content::Row { collapsed: false, panels: [] };
                let (title, description) = (title.to_owned(), String::new());
                panels.push(Panel { id, kind: "row", title, description, grid_pos, content });
                y += 1;
            }
            let (mut x, mut height) = (0, 0);
            for mut panel in below {
                if x + panel.grid_pos.w > COLUMNS {
                    (x, y, height) = (0, y + height, 0);
                }
                (panel.grid_pos.x, panel.grid_pos.y) = (x, y);
                (x, height) = (x + panel.grid_pos.w, height.max(panel.grid_pos.h));
                panels.push(panel);
            }
            y += height;
        }
        Self {
            uid: "netvitals-overview",
            title: "Network vital signs / Overview",
            description: "What is wrong with the cluster's network, and since when.",
            tags: ["netvitals"],
            schema_version: 39,
            version: 1,
            editable: false,
            graph_tooltip: 1,
            timezone: "browser",
            refresh: "30s",
            time: json!({ "from": "now-1h", "to": "now" }),
            links: vec![json!({
                "type": "dashboards", "title": "netvitals", "tags": ["netvitals"],
                "asDropdown": true, "includeVars": true, "keepTime": true,
            })],
            annotations: json!({ "list": [{
                "name": "Firing alerts",
                "datasource": datasource(),
                "enable": true,
                "hide": false,
                "iconColor": "red",
                "expr": r#"ALERTS{alertname=~"Netvitals.+", alertstate="firing", cluster=~"$cluster"}"#,
                "step": "30s",
                "titleFormat": "{{alertname}}",
                "textFormat": "{{severity}} {{node}} {{namespace}} {{name}} {{pool}}",
                "tagKeys": "component",
            }] }),
            templating: json!({ "list": [
                {
                    "name": "datasource", "label": "Data source", "type": "datasource",
                    "query": "prometheus", "hide": 0, "refresh": 1,
                },
                variable("cluster", "Cluster", "label_values(netvitals_build_info, cluster)", false),
                variable(
                    "node",
                    "Node",
                    r#"label_values(netvitals_dns_queries_total{cluster=~"$cluster"}, node)"#,
                    true,
                ),
            ] }),
            panels,
        }
    }
}

/// A choice among a label's values; `.*` also holds where there is no such label. Of several all are
/// chosen at first, and else the first one.
fn variable(name: &str, label: &str, query: &str, multi: bool) -> Value {
    json!({
        "name": name, "label": label, "type": "query", "datasource": datasource(),
        "definition": query, "query": { "query": query, "refId": name },
        "refresh": 2, "sort": 1, "hide": 0, "multi": multi, "includeAll": true, "allValue": ".*",
        "current": if multi { json!({ "text": "All", "value": "$__all" }) } else { json!({}) },
    })
}

impl Panel {
    fn new(
        kind: &'static str,
        id: u32,
        title: &str,
        description: &str,
        options: Value,
        custom: Value,
    ) -> Self {
        let defaults = Defaults {
            unit: "none",
            no_value: "no data",
            min: None,
            max: None,
            decimals: None,
            color: json!({ "mode": "thresholds" }),
            thresholds: steps("green", &[]),
            mappings: Vec::new(),
            links: Vec::new(),
            custom,
        };
        let content = Content::Queries {
            datasource: datasource(),
            field_config: FieldConfig { defaults, overrides: [] }.into(),
            options,
            targets: Vec::new(),
            transformations: Vec::new(),
            links: Vec::new(),
        };
        let (title, description) = (title.to_owned(), description.to_owned());
        let grid_pos = GridPos { x: 0, y: 0, w: COLUMNS / 3, h: 8 };
        Self { id, kind, title, description, grid_pos, content }
    }

    /// Takes so many of 24 columns, and is so high; a third, and 8, unless it says so.
    pub(super) fn size(mut self, columns: u32, height: u32) -> Self {
        (self.grid_pos.w, self.grid_pos.h) = (columns, height);
        self
    }

    /// One number.
    pub(super) fn stat(id: u32, title: &str, description: &str) -> Self {
        let options = json!({
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "colorMode": "background", "graphMode": "none", "textMode": "auto",
            "justifyMode": "auto", "orientation": "auto",
        });
        Self::new("stat", id, title, description, options, json!({}))
    }

    /// Lines over time; thresholds are drawn as lines too.
    pub(super) fn lines(id: u32, title: &str, description: &str) -> Self {
        let options = json!({
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc" },
        });
        let custom = json!({
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never",
            "spanNulls": false, "thresholdsStyle": { "mode": "dashed" },
        });
        let mut panel = Self::new("timeseries", id, title, description, options, custom);
        panel.defaults().color = json!({ "mode": "palette-classic" });
        panel
    }

    /// One bar for each subject, coloured by its state.
    pub(super) fn states(id: u32, title: &str, description: &str) -> Self {
        let options = json!({
            "mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.9,
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "single", "sort": "none" },
        });
        let custom = json!({ "lineWidth": 0, "fillOpacity": 80 });
        Self::new("state-timeline", id, title, description, options, custom)
    }

    /// One bar for each subject, as long as its value.
    pub(super) fn bars(id: u32, title: &str, description: &str) -> Self {
        let options = json!({
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true,
            "valueMode": "color",
        });
        Self::new("bargauge", id, title, description, options, json!({}))
    }

    /// One line for each series that there is now, with these labels as columns.
    pub(super) fn table(id: u32, title: &str, description: &str, columns: &[&str]) -> Self {
        let options = json!({
            "showHeader": true, "cellHeight": "sm", "footer": { "show": false },
        });
        let custom = json!({ "align": "auto", "filterable": true, "inspect": false });
        let mut panel = Self::new("table", id, title, description, options, custom);
        let order: serde_json::Map<String, Value> =
            columns.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at.into())).collect();
        if let Content::Queries { transformations, .. } = &mut panel.content {
            transformations.push(json!({ "id": "merge", "options": {} }));
            transformations.push(json!({ "id": "organize", "options": {
                "excludeByName": { "Time": true, "Value": !columns.contains(&"Value") },
                "indexByName": order, "renameByName": { "Value": "number" },
            } }));
        }
        panel
    }

    /// Counts by bucket over time.
    pub(super) fn heatmap(id: u32, title: &str, description: &str) -> Self {
        let options = json!({
            "calculate": false, "cellGap": 1, "cellValues": { "unit": "reqps" },
            "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5,
                "fill": "dark-orange", "scale": "exponential", "reverse": false },
            "filterValues": { "le": 1e-9 }, "legend": { "show": true },
            "rowsFrame": { "layout": "auto" }, "exemplars": { "color": "rgba(255,0,255,0.7)" },
            "showValue": "never", "tooltip": { "mode": "single", "yHistogram": false },
            "yAxis": { "axisPlacement": "left", "reverse": false, "unit": "s" },
        });
        Self::new("heatmap", id, title, description, options, json!({}))
    }

    fn defaults(&mut self) -> &mut Defaults {
        match &mut self.content {
            Content::Queries { field_config, .. } => &mut field_config.defaults,
            Content::Row { .. } => unreachable!("a row is made without this"),
        }
    }

    /// Asks; the legend is made of labels, such as `{{node}}`.
    pub(super) fn query(mut self, expr: &str, legend: &str) -> Self {
        let now = ["table", "bargauge", "stat"].contains(&self.kind);
        let format = match self.kind {
            "table" => "table",
            "heatmap" => "heatmap",
            _ => "time_series",
        };
        // The cluster first, where there is one.
        let legend = if legend.is_empty() { legend } else { &format!("{{{{cluster}}}} {legend}") };
        if let Content::Queries { targets, .. } = &mut self.content {
            let at = u8::try_from(targets.len()).expect("a few queries for each panel");
            targets.push(json!({
                "refId": char::from(b'A' + at).to_string(), "datasource": datasource(),
                "expr": expr, "legendFormat": legend, "format": format,
                "instant": now, "range": !now,
            }));
        }
        self
    }

    /// Leads from each of its values to `url`, which may name the row's fields.
    pub(super) fn link(mut self, title: &str, url: &str) -> Self {
        self.defaults().links.push(json!({ "title": title, "url": url, "targetBlank": true }));
        self
    }

    /// Names one of Grafana's units.
    pub(super) fn unit(mut self, unit: &'static str) -> Self {
        self.defaults().unit = unit;
        self
    }

    /// A share: 0 to 1, shown as percents.
    pub(super) fn share(mut self) -> Self {
        (self.defaults().min, self.defaults().max) = (Some(0.0), Some(1.0));
        self.unit("percentunit")
    }

    /// Says what it means that there is nothing to show.
    pub(super) fn empty(mut self, text: &'static str) -> Self {
        self.defaults().no_value = text;
        self
    }

    /// Colours from `first` on, and from each value on.
    pub(super) fn colours(mut self, first: &str, then: &[(f64, &str)]) -> Self {
        self.defaults().thresholds = steps(first, then);
        self
    }

    /// Names values and colours them.
    pub(super) fn names(mut self, names: &[(u32, &str, &str)]) -> Self {
        let options: serde_json::Map<String, Value> = names
            .iter()
            .map(|(value, text, color)| {
                let name = json!({ "text": text, "color": color, "index": value });
                (value.to_string(), name)
            })
            .collect();
        self.defaults().mappings = vec![json!({ "type": "value", "options": options })];
        self
    }

    /// Links to the runbooks of the alerts that this panel explains.
    pub(super) fn alerts(mut self, rules: &Rules, names: &[&str]) -> Self {
        for name in names {
            let rule = rules.iter().find(|rule| rule.alert == *name);
            let rule = rule.unwrap_or_else(|| panic!("there is no alert {name}"));
            if let Content::Queries { links, .. } = &mut self.content {
                links.push(json!({
                    "title": format!("Runbook: {name}"), "targetBlank": true,
                    "url": rule.annotations["runbook_url"],
                }));
            }
        }
        self
    }
}

fn steps(first: &str, then: &[(f64, &str)]) -> Value {
    let mut steps = vec![json!({ "value": null, "color": first })];
    steps.extend(then.iter().map(|(value, color)| json!({ "value": value, "color": color })));
    json!({ "mode": "absolute", "steps": steps })
}
