"""A kwta-server that is started, stopped and started again on one state directory and one address."""
import json
import os
import pathlib
import signal
import subprocess

SOURCES = pathlib.Path(__file__).resolve().parents[3]
DATA = SOURCES / "tests/data/datasets"


class Replica:
    """A server that runs. `flags` are further flags of kwta-server; `listen` is where it listens, at first on any port."""

    def __init__(self, build, state, *flags):
        self.programs, self.state, self.flags = pathlib.Path(build).resolve() / "bin", state, flags
        self.listen = "127.0.0.1:0"
        self.log_path = state.parent / f"{state.name}.log"
        self.start()

    def start(self):
        reader, writer = os.pipe()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "kwta-server", "--state-dir", self.state, "--data-dir", DATA, "--listen", self.listen, "--http",
                 "127.0.0.1:0", "--ready-fd", str(writer), *map(str, self.flags)], pass_fds=[writer], stdout=log, stderr=log)
        os.close(writer)
        with os.fdopen(reader) as ready:
            line = ready.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"{self.state} does not start:\n{self.log_path.read_text()[-3000:]}")
        self.listen = f"127.0.0.1:{json.loads(line)['grpc']}"

    def command(self, *words):
        return [self.programs / "kwta", "--server", self.listen, *map(str, words)]

    def kwta(self, *words):
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"kwta {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def status(self):
        return json.loads(self.kwta("--json", "status"))

    def stop(self):
        """Drains the server and returns its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)
