"""Asks Prometheus what Grafana would ask."""
import concurrent.futures
import sys
import time

from .prometheus import has_data
from .queries import substituted

RATE_INTERVAL = 10  # seconds: ten scrapes of the proof


class Asker:
    """The dashboards' range begins when it is made."""

    def __init__(self, prometheus):
        self.prometheus = prometheus
        self.begin = time.time()

    def _values(self):
        instances = self.prometheus.label_values("label_values(kwta_build_info, instance)")
        seconds = max(int(time.time() - self.begin), RATE_INTERVAL)
        return {"instance": "|".join(instances), "model": ".*", "__rate_interval": f"{RATE_INTERVAL}s", "__range": f"{seconds}s"}

    def _answer(self, query, values):
        text = substituted(query.text, values)
        if query.kind == "labels":
            return self.prometheus.label_values(text)
        if query.kind == "instant":
            return self.prometheus.instant(text)
        now = time.time()
        return self.prometheus.range(text, self.begin, now, max(1, int((now - self.begin) / 180)))

    def answers(self, wanted):
        """Returns {name: answer}. An answer is None, and standard error says why, where Prometheus refuses the query."""
        values = self._values()

        def one(query):
            try:
                return self._answer(query, values)
            except ValueError as error:
                print(f"{query.name}: {error}: {query.text}", file=sys.stderr)
                return None

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return dict(zip([query.name for query in wanted], pool.map(one, wanted)))


def without_data(answers):
    return [name for name, answer in answers.items() if answer is None or not has_data(answer)]
