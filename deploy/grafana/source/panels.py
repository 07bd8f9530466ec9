"""Parts of a Grafana dashboard: panels, rows, variables, links and annotations, as the dictionaries that become its JSON.

Every panel has a title, a description, a unit and a text for when there is nothing to show.
"""
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Matchers of a query. Series without a model are matched by "All"; a family that has nothing to say has one series without labels,
# which NAMED leaves out.
INSTANCE = 'instance=~"$instance"'
MODEL = f'{INSTANCE}, model=~"$model"'
NAMED = f'{MODEL}, model!=""'

# Methods that compute with a model.
COMPUTING = 'method=~"Encode|EncodeStream|Reconstruct|ModelInfer|ModelStreamInfer"'

# Codes that the server is to blame for: those of the error budget in deploy/prometheus/rules/kwta.yml.
FAULTS = 'code=~"INTERNAL|UNKNOWN|DATA_LOSS|UNAVAILABLE|DEADLINE_EXCEEDED"'

# process_* families are everybody's; these of kwta-server stand beside its build info.
OURS = "and on (job, instance) kwta_build_info"

STATUS_PAGE = {
    "title": "Status page of ${__field.labels.instance}",
    "url": "http://${__field.labels.instance}/",
    "targetBlank": True,
}


def rate(family, matchers, interval="$__rate_interval"):
    return f"rate({family}{{{matchers}}}[{interval}])"


def quantile(part, family, matchers, by=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({part}, sum by ({labels}) ({rate(family + '_bucket', matchers)}))"


def mean(family, matchers, by):
    return f"sum by ({by}) ({rate(family + '_sum', matchers)}) / sum by ({by}) ({rate(family + '_count', matchers)})"


def _targets(queries, **also):
    return [{"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend, "datasource": DATA_SOURCE, **also}
            for i, (query, legend) in enumerate(queries)]


def steps(*pairs):
    """Thresholds: steps((None, "green"), (0.8, "red"))."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in pairs]}


PLAIN = steps((None, "green"))


def _panel(kind, title, description, unit, targets, empty, width, height, defaults=None, options=None, **also):
    return {
        "type": kind, "title": title, "description": description, "datasource": DATA_SOURCE, "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "noValue": empty, **(defaults or {})}, "overrides": also.pop("overrides", [])},
        "options": options or {}, "gridPos": {"w": width, "h": height, "x": 0, "y": 0}, **also,
    }


def lines(title, description, unit, queries, empty, width=8, height=8, stacked=False, logarithmic=False, low=0, high=None,
          thresholds=None, by_instance=False, steps_between=False, **also):
    custom = {
        "drawStyle": "line", "lineInterpolation": "stepAfter" if steps_between else "linear", "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8, "showPoints": "never", "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if logarithmic else {"type": "linear"},
        "thresholdsStyle": {"mode": "line" if thresholds else "off"},
    }
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}, "thresholds": thresholds or PLAIN}
    if low is not None and not logarithmic:
        defaults["min"] = low
    if high is not None:
        defaults["max"] = high
    if by_instance:
        defaults["links"] = [STATUS_PAGE]
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, unit, _targets(queries), empty, width, height, defaults, options, **also)


def number(title, description, unit, queries, empty, width=4, height=4, thresholds=None, decimals=None, graph=True, **also):
    defaults = {"thresholds": thresholds or PLAIN, "color": {"mode": "thresholds"}}
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
        "graphMode": "area" if graph else "none", "justifyMode": "auto", "orientation": "auto",
        "textMode": "value_and_name" if len(queries) > 1 else "value", "wideLayout": True,
    }
    return _panel("stat", title, description, unit, _targets(queries), empty, width, height, defaults, options, **also)


def gauge(title, description, queries, empty, width=4, height=4, thresholds=None):
    """Of a ratio between 0 and 1."""
    defaults = {"thresholds": thresholds or PLAIN, "color": {"mode": "thresholds"}, "min": 0, "max": 1, "decimals": 1}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "auto",
        "showThresholdLabels": False, "showThresholdMarkers": True,
    }
    return _panel("gauge", title, description, "percentunit", _targets(queries), empty, width, height, defaults, options)


def heat_map(title, description, unit, query, empty, width=12, height=8):
    """Of `sum by (le) (...)` of a histogram's buckets; `unit` is that of le."""
    options = {
        "calculate": False, "cellGap": 1, "cellValues": {"decimals": 2},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "reverse": False, "exponent": 0.5, "fill": "dark-orange"},
        "yAxis": {"unit": unit, "axisPlacement": "left", "reverse": False}, "rowsFrame": {"layout": "auto"},
        "filterValues": {"le": 1e-9}, "legend": {"show": True}, "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False}, "showValue": "never",
    }
    return _panel("heatmap", title, description, unit, _targets([(query, "{{le}}")], format="heatmap"), empty, width, height,
                  {"custom": {"scaleDistribution": {"type": "linear"}}}, options)


def buckets(title, description, unit, query, empty, width=12, height=8):
    """Bars of a histogram's buckets over the range of the dashboard, from `sum by (le) (increase(...[$__range]))`."""
    defaults = {"thresholds": steps((None, "blue")), "color": {"mode": "thresholds"}, "min": 0}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "displayMode": "basic", "orientation": "vertical",
        "showUnfilled": True, "valueMode": "text", "namePlacement": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
        "sizing": "auto",
    }
    return _panel("bargauge", title, description, unit, _targets([(query, "{{le}}")], format="heatmap", instant=True, range=False),
                  empty, width, height, defaults, options)


def table(title, description, columns, rename, empty, width=24, height=8, hide=(), links=None):
    """One row for each set of labels. `columns` are (name, query, unit), `rename` gives the columns of labels their names, in order."""
    targets = _targets([(query, "") for _, query, _ in columns], format="table", instant=True, range=False)
    names = {f"Value #{target['refId']}": name for target, (name, _, _) in zip(targets, columns)}
    if len(columns) == 1:
        names = {"Value": columns[0][0]}
    order = {name: i for i, name in enumerate([*rename, *names])}
    overrides = [{"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
                 for name, _, unit in columns]
    if links:
        column, url, text = links
        overrides.append({"matcher": {"id": "byName", "options": column},
                          "properties": [{"id": "links", "value": [{"title": text, "url": url, "targetBlank": True}]}]})
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True, **{name: True for name in hide}},
                                       "indexByName": order, "renameByName": {**rename, **names}}},
    ]
    defaults = {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}, "thresholds": PLAIN}
    options = {"showHeader": True, "cellHeight": "sm"}
    return _panel("table", title, description, "short", targets, empty, width, height, defaults, options,
                  overrides=overrides, transformations=transformations)


def row(title, panels, collapsed=False):
    return {"type": "row", "title": title, "collapsed": collapsed, "panels": panels}


def _laid_out(rows):
    """Gives panels their places from left to right, and identifiers in their order."""
    placed, y, identifier = [], 0, 0
    for part in rows:
        identifier += 1
        header = {**part, "id": identifier, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        y += 1
        x, tallest, inside = 0, 0, []
        for panel in part["panels"]:
            width, height = panel["gridPos"]["w"], panel["gridPos"]["h"]
            if x + width > 24:
                x, y, tallest = 0, y + tallest, 0
            identifier += 1
            inside.append({**panel, "id": identifier, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x, tallest = x + width, max(tallest, height)
        y += tallest
        header["panels"] = inside if part["collapsed"] else []
        placed += [header] if part["collapsed"] else [header, *inside]
    return placed


def _variable(name, label, description, query):
    return {"type": "query", "name": name, "label": label, "description": description, "query": query, "datasource": DATA_SOURCE,
            "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*", "hide": 0, "skipUrlSync": False, "regex": "",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "options": []}


def _variables():
    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "description": "The Prometheus that scrapes kwta-server",
         "query": "prometheus", "refresh": 1, "hide": 0, "skipUrlSync": False, "regex": "", "multi": False, "includeAll": False,
         "current": {}, "options": []},
        _variable("instance", "Instance", "Replicas", "label_values(kwta_build_info, instance)"),
        _variable("model", "Model", "Models; All also takes what belongs to none", "label_values(kwta_model_info, model)"),
        {"type": "textbox", "name": "page", "label": "Status page", "description": "Where a browser reaches kwta-server's status page",
         "query": "http://localhost:8501", "hide": 0, "skipUrlSync": False,
         "current": {"selected": True, "text": "http://localhost:8501", "value": "http://localhost:8501"}, "options": []},
    ]


# A version is new where label stable did not mean it one rate interval ago.
_SWAPS = (f'count_values by (instance, model) ("version", kwta_model_version{{{NAMED}}}) unless on (instance, model, version) '
          f'count_values by (instance, model) ("version", kwta_model_version{{{NAMED}}} offset $__rate_interval)')


def dashboard(uid, title, description, rows):
    link = {"icon": "external link", "tooltip": "", "asDropdown": False, "targetBlank": False, "includeVars": True, "keepTime": True}
    return {
        "uid": uid, "title": title, "description": description, "tags": ["kwta"], "timezone": "browser", "editable": True,
        "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "schemaVersion": 39, "fiscalYearStartMonth": 0,
        "links": [
            {**link, "title": "kwta dashboards", "type": "dashboards", "tags": ["kwta"], "url": ""},
            {**link, "title": "Status page", "type": "link", "tags": [], "url": "${page}", "targetBlank": True, "includeVars": False,
             "keepTime": False, "tooltip": "kwta-server's own page: jobs, filters, codes"},
        ],
        "templating": {"list": _variables()},
        "annotations": {"list": [
            {"name": "Version swaps", "datasource": DATA_SOURCE, "enable": True, "hide": False, "iconColor": "purple", "expr": _SWAPS,
             "titleFormat": "{{model}} serves version {{version}}", "textFormat": "on {{instance}}", "tagKeys": "model,instance"},
        ]},
        "panels": _laid_out(rows),
    }
