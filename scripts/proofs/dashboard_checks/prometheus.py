"""Debian's Prometheus: a server of our own on a free port, and its HTTP API."""
import json
import math
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(condition, seconds, what):
    """Asks again and again until `condition` gives something, and fails loudly after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


class Prometheus:
    def __init__(self, folder, scrapes, rules, interval="1s"):
        self.folder = pathlib.Path(folder)
        config = {"global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
                  "rule_files": [str(rules)], "scrape_configs": scrapes}
        file = self.folder / "prometheus.yml"
        file.write_text(json.dumps(config))  # JSON is YAML.
        # The port may be taken between here and there; then Prometheus ends at once and the wait below says so.
        self.address = f"127.0.0.1:{free_port()}"
        self.log = open(self.folder / "prometheus.log", "w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={self.folder / 'tsdb'}", f"--web.listen-address={self.address}"],
            stdout=self.log, stderr=self.log)
        wait_until(self.ready, 30, "prometheus is ready")

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"prometheus ended with {self.process.returncode}: {self.folder / 'prometheus.log'}")
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **parameters):
        """Returns `data` of an answer. Raises ValueError with Prometheus' words where it refuses a query."""
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        url = f"http://{self.address}/api/v1/{path}"
        try:
            with urllib.request.urlopen(f"{url}?{body.decode()}" if path.startswith(("rules", "targets", "label/")) else url,
                                        None if path.startswith(("rules", "targets", "label/")) else body, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", str(error))) from None

    def instant(self, query):
        return self.ask("query", query=query)["result"]

    def range(self, query, begin, end, step):
        return self.ask("query_range", query=query, start=begin, end=end, step=step)["result"]

    def label_values(self, query):
        """What Grafana makes of label_values(SELECTOR, LABEL)."""
        selector, label = query.removeprefix("label_values(").removesuffix(")").rsplit(",", 1)
        return self.ask(f"label/{label.strip()}/values", **{"match[]": selector.strip()})

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


def has_data(result):
    """Whether an answer holds a number (not NaN) or a value of a label."""
    for one in result:
        if isinstance(one, str):
            return True
        for _, value in one.get("values", [one["value"]] if "value" in one else []):
            if not math.isnan(float(value)):
                return True
    return False
