"""Two replicas and their callers: one in the open, one behind TLS and tokens, both under load, training and swapping."""
import pathlib

from . import service
from .prometheus import wait_until

# Small models that learn something of the sample of Fashion-MNIST within seconds.
FASHION = ("--units", 256, "--k", 16, "--rate", 0.01, "--epochs", 4)
MAPS = ("--encoder", "winner-take-all", "--maps", 4, "--filter-size", 5, "--epochs", 1, "--max-rows", 500)


class Replicas:
    def __init__(self, build, folder):
        self.build = pathlib.Path(build)
        self.folder = pathlib.Path(folder)
        self.certificates = service.make_certificates(self.folder / "certificates")
        self.tokens = self.folder / "tokens.json"
        self.token = service.token(build, self.tokens, "proof", "--scope", "encode", "--scope", "train", "--scope", "admin")
        self.token_file = self._secret("proof", self.token)
        poor = service.token(build, self.tokens, "poor", "--scope", "encode", "--calls-per-second", 1)
        self.poor_flags = self._flags(self._secret("poor", poor))
        self.servers = []

    def _secret(self, name, text):
        file = self.folder / f"{name}.token"
        file.write_text(text)
        return file

    def _flags(self, token_file):
        return ["--tls-ca", str(self.certificates / "ca.crt"), "--token-file", str(token_file)]

    def __enter__(self):
        try:
            self.open = service.Server(self.build, self.folder, "kwta-1", ["--max-running-jobs", "4"])
            self.servers.append(self.open)
            self.closed = service.Server(
                self.build, self.folder, "kwta-2",
                ["--tls-cert", self.certificates / "tls.crt", "--tls-key", self.certificates / "tls.key", "--tls-reload-seconds", "1",
                 "--tokens", self.tokens, "--max-running-jobs", "4"], self._flags(self.token_file))
            self.servers.append(self.closed)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for server in self.servers:
            server.stop()

    def scrapes(self):
        """Prometheus' scrape configurations. The instances get names that a reader of the pictures understands."""
        def one(name, server, **also):
            return {"job_name": name, "static_configs": [{"targets": [server.http], "labels": {"job": "kwta", "instance": f"{name}:8501"}}],
                    **also}

        return [one("kwta-1", self.open),
                one("kwta-2", self.closed, scheme="https", tls_config={"ca_file": str(self.certificates / "ca.crt")},
                    authorization={"credentials_file": str(self.token_file)})]

    def wait_for_scrapes(self, prometheus):
        def scraped():
            up = prometheus.instant('sum(sum_over_time(up{job="kwta"}[1m]))')
            return up and float(up[0]["value"][1]) >= 2 * len(self.servers)

        wait_until(scraped, 30, "Prometheus scrapes both servers twice")

    def start_training(self, epochs):
        """First versions of the models, jobs of `epochs` epochs that show a whole schedule, and one that outlasts the proof."""
        for server in self.servers:
            server.train("fashion", "--watch", *FASHION)
        self.open.train("maps", "--watch", *MAPS)
        self.open.train("digits", "--job-id", "long", "--units", 512, "--k", 20, "--k-start", 100, "--anneal-fraction", 0.8,
                        "--rate", 0.01, "--epochs", epochs)
        self.open.train("tuned", "--job-id", "tuned", "--base", "fashion", "--fine-tune", "--epochs", max(epochs // 4, 2))
        self.closed.train("digits", "--job-id", "long", "--units", 256, "--k", 10, "--rate", 0.005, "--epochs", 200_000)

    def start_load(self, seconds, rows_a_second):
        for part, server in ((1.0, self.open), (0.6, self.closed)):
            server.start_load("fashion", rows_a_second * part / 32, 32, seconds)
            server.start_load("fashion", 20, 1, seconds)
        self.open.start_load("maps", 5, 4, seconds)

    def swap(self, *servers, seed):
        for server in servers:
            server.train("fashion", "--watch", *FASHION, "--seed", seed)

    def roll_back(self, *servers):
        for server in servers:
            server.call("models", "rollback", "fashion")
