"""What can be said of rules, tests of rules, runbook and links without a running service, but for breaking each rule in turn."""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import tempfile

from .queries import ROOT, dashboards, panels, with_bool

PROMETHEUS = ROOT / "deploy/prometheus"
RULES = PROMETHEUS / "rules/kwta.yml"
TESTS = sorted((PROMETHEUS / "tests").glob("*_test.yml"))


def promtool(*words):
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def anchors(page):
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    titles = re.findall(r"^#+ +(.+?) *$", page, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def runbook_faults():
    rules = RULES.read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    links = re.findall(r"runbook_url: *(\S+)", rules)
    for alert in alerts:
        if f"docs/runbook.md#{alert.lower()}" not in links:
            yield f"{alert} has no runbook_url of its own"
    page = (ROOT / "docs/runbook.md").read_text()
    for link in links:
        file, _, anchor = link.partition("#")
        if file != "docs/runbook.md" or anchor not in anchors(page):
            yield f"{link} is no heading of the runbook"
    for section in re.split(r"^## +", page, flags=re.M)[1:]:
        title = section.splitlines()[0].strip()
        if not title.startswith("Kwta"):
            continue
        if title not in alerts:
            yield f"the runbook speaks of {title}, which is no alert"
        for part in ("**Means.**", "**Confirm.**", "**Do.**"):
            if part not in section:
                yield f"{title} in the runbook lacks {part}"


def dashboard_faults():
    boards = dashboards()
    for name, board in boards.items():
        links = [link for link in board["links"] if link["type"] == "link" and "${page}" in link["url"]]
        others = [link for link in board["links"] if link["type"] == "dashboards" and set(link["tags"]) <= set(board["tags"])]
        if not links or not others:
            yield f"{name} does not link to the status page and to the other dashboards"
        if {"datasource", "instance", "model"} - {variable["name"] for variable in board["templating"]["list"]}:
            yield f"{name} lacks a variable"
        titles = [panel["title"] for panel in panels(board)]
        for panel in panels(board):
            where = f"{name}/{panel['title']}"
            if not panel.get("description"):
                yield f"{where} has no description"
            if not panel["fieldConfig"]["defaults"].get("unit"):
                yield f"{where} has no unit"
            if not panel["fieldConfig"]["defaults"].get("noValue"):
                yield f"{where} says nothing when it is empty"
        if len(titles) < 10:
            yield f"{name} has {len(titles)} panels only"


def static_faults():
    """Everything that is wrong, as lines; nothing if all is well."""
    made = subprocess.run([ROOT / "deploy/grafana/make_dashboards.py", "--check"], capture_output=True, text=True)
    if made.returncode != 0:
        yield made.stderr.strip()
    yield from runbook_faults()
    yield from dashboard_faults()
    for words in (["check", "config", PROMETHEUS / "prometheus.yml"], ["check", "rules", RULES], ["test", "rules", *TESTS]):
        good, said = promtool(*words)
        if not good:
            yield f"promtool {' '.join(map(str, words))}: {said}"


def _as_file(rule, expression):
    made = {"expr": expression, "labels": rule.get("labels", {})}
    if rule["type"] == "recording":
        return {"record": rule["name"], **made}
    return {"alert": rule["name"], "for": f"{int(rule['duration'])}s", "annotations": rule["annotations"], **made}


def _mutant_alerts(folder, groups, alert, expression):
    """Runs the test of an alert with another expression. Returns whether it passes, and how many alerts fired at most."""
    blocks = [block for file in TESTS for block in re.split(r"(?m)^(?=  - name: )", file.read_text())[1:]]
    own = "".join(block for block in blocks if re.match(rf"  - name: {alert}\n", block))
    mutant = {"groups": [{"name": group["name"], "rules": [
        _as_file(rule, expression if rule["name"] == alert else rule["query"]) for rule in group["rules"]]} for group in groups]}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        rules = pathlib.Path(place) / "rules.json"
        rules.write_text(json.dumps(mutant))
        test = pathlib.Path(place) / "test.yml"
        test.write_text(f"rule_files: [{rules}]\nevaluation_interval: 1m\ntests:\n{own}")
        good, said = promtool("test", "rules", test)
    fired = [part.count("Labels:{") for part in re.findall(r"got:(.*?)(?=\n\s*\n|\Z)", said, re.S)]
    return good, max(fired, default=0)


def alerts_that_fire(folder, groups):
    """Alerts of which promtool's test notices when they never fire, and when they fire for what should be quiet.

    `groups` are Prometheus' answer to /api/v1/rules. Returns (all alerts, those of them that pass).
    """
    alerts = [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]

    def passes(rule):
        as_it_is, _ = _mutant_alerts(folder, groups, rule["name"], rule["query"])
        never, _ = _mutant_alerts(folder, groups, rule["name"], "vector(1) < 0")
        _, fired = _mutant_alerts(folder, groups, rule["name"], f"({with_bool(rule['query'])}) >= 0")
        return as_it_is and not never and fired > 1

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(passes, alerts))
    return [rule["name"] for rule in alerts], [rule["name"] for rule, good in zip(alerts, passed) if good]
