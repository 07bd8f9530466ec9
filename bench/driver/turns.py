"""Processes that take turns: only one of them computes at any time."""

import json
import os
import statistics
import subprocess
import tempfile

from preparation import Skipped


class Process:
    """A program that answers each line on its standard input with a line of JSON."""

    def __init__(self, command, environment=None):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        raise Skipped(lines[-1] if lines else f"exit status {self.process.returncode}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class OurWork:
    """work_bench with one work description."""

    def __init__(self, programs, inputs, threads, work):
        command = [os.path.join(programs, "work_bench"), "run", "--inputs", inputs, "--threads", str(threads)]
        self.process = Process(command + work.split())
        self.process.answer()

    def run(self, seconds):
        return self.process.ask(str(seconds))

    def close(self):
        self.process.close()


class Peers:
    """bench/peers/worker.py: one process for all groups, since importing PyTorch takes seconds."""

    def __init__(self, root, python, inputs, threads):
        environment = {
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "TORCHINDUCTOR_CACHE_DIR": os.path.join(root, "build/bench-compiled"),
            "TORCHINDUCTOR_FX_GRAPH_CACHE": "1",
        }
        command = [python, os.path.join(root, "bench/peers/worker.py"), "--inputs", inputs, "--threads", str(threads)]
        self.process = Process(command, environment)

    def versions(self):
        return self.process.ask(json.dumps({"versions": True}))

    def setup(self, work, variants):
        return self.process.ask(json.dumps({"setup": work, "variants": variants}))

    def run(self, variant, seconds):
        return self.process.ask(json.dumps({"run": variant, "seconds": seconds}))

    def close(self):
        self.process.close()


def take_turns(contenders, rounds, seconds):
    """Returns rates per second of each contender (name -> function of seconds), with one slice each per round.

    A slice is a single call if `seconds` is 0; no slice then warms up.
    """
    for run in contenders.values() if seconds > 0 else ():
        run(seconds / 4)
    rates = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            done = run(seconds)
            rates[name].append(done["rows"] / done["seconds"])
    return rates


def summary(rates):
    return {"median": statistics.median(rates), "low": min(rates), "high": max(rates), "rates": rates}
