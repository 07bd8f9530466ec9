"""Every query of the dashboards and of the rules, ready to be sent to Prometheus."""
import dataclasses
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
DASHBOARDS = ROOT / "deploy/grafana/dashboards"


@dataclasses.dataclass(frozen=True)
class Query:
    name: str       # dashboard/panel/letter, dashboard/variable NAME, rule NAME
    text: str       # what the file says
    kind: str       # "range", "instant" or "labels": what Grafana asks for


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard):
    """All panels but the headers of rows, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", [])


def query_name(dashboard, panel, target):
    return f"{dashboard}/{panel['title']} #{panel['id']}/{target['refId']}"


def of_dashboards():
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Query(query_name(name, panel, target), target["expr"], "instant" if target.get("instant") else "range")
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield Query(f"{name}/variable {variable['name']}", variable["query"], "labels")
        for annotation in dashboard["annotations"]["list"]:
            yield Query(f"{name}/annotation {annotation['name']}", annotation["expr"], "range")


def substituted(text, values):
    """Puts values for Grafana's variables: {"instance": "a|b", "__rate_interval": "15s"}."""
    result = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda match: values[match[1] or match[2]], text)
    if "$" in result:
        raise ValueError(f"a variable is left over in {result}")
    return result


def with_bool(text):
    """Makes each comparison give 0 or 1 instead of dropping what does not hold: `a > 2` becomes `a > bool 2`.

    An alert's expression has no data while all is well. With this it has, if its metrics and labels are there. Comparisons of two
    plain numbers need it anyway. Strings and matchers in braces stay.
    """
    parts = re.split(r'("(?:[^"\\]|\\.)*"|\{[^}]*\})', text)
    return "".join(part if i % 2 else re.sub(r"(==|!=|>=|<=|>|<)(?!\s*bool\b)", r"\1 bool", part) for i, part in enumerate(parts))
