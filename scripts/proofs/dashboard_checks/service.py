"""Real kwta servers and what their callers do: train, load, swap versions, and go wrong."""
import json
import os
import pathlib
import signal
import subprocess

from .queries import ROOT


class Server:
    """A kwta-server on free ports with state, log, data and options of its own."""

    def __init__(self, build, folder, name, flags=(), client_flags=(), environment=None):
        self.bin = pathlib.Path(build).resolve() / "bin"
        self.name = name
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        self.client_flags = list(client_flags)
        self.log = open(self.folder / "log", "w")
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [self.bin / "kwta-server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state-dir", self.folder / "state",
             "--data-dir", ROOT / "tests/data/datasets", "--ready-fd", str(write), "--threads", "1", "--drain-grace", "2", *flags],
            stdout=self.log, stderr=self.log, pass_fds=[write], env={**os.environ, **(environment or {})})
        os.close(write)
        with os.fdopen(read) as ports:
            line = ports.readline()
        if not line:
            raise RuntimeError(f"{name} did not start: {(self.folder / 'log').read_text()}")
        self.ports = json.loads(line)
        self.grpc = f"127.0.0.1:{self.ports['grpc']}"
        self.http = f"127.0.0.1:{self.ports['http']}"
        self.callers = []

    def command(self, *words, flags=None):
        return [str(self.bin / "kwta"), "--server", self.grpc, *(self.client_flags if flags is None else flags), *map(str, words)]

    def call(self, *words, flags=None, fails=False, timeout=60):
        """Runs a command of kwta to its end. `fails` says that it must not succeed."""
        done = subprocess.run(self.command(*words, flags=flags), capture_output=True, text=True, timeout=timeout)
        if (done.returncode != 0) != fails:
            raise RuntimeError(f"{self.name}: kwta {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def train(self, model, *words, **also):
        return self.call("train", "--model", model, "--data", "fashion-mnist", "--threads", 1, *words, **also)

    def start_load(self, model, rate, rows, seconds):
        """Leaves a caller running in the background."""
        self.callers.append(subprocess.Popen(
            self.command("load", "--model", model, "--rate", rate, "--rows", rows, "--seconds", seconds, "--data", "fashion-mnist",
                         "--split", "test", "--data-dir", ROOT / "tests/data/datasets"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def stop(self):
        for caller in self.callers:
            caller.send_signal(signal.SIGINT)
            caller.wait(30)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


def make_certificates(folder):
    """An authority (ca.crt) and a server's certificate of it (tls.crt, tls.key) for this machine, for 90 days."""
    folder = pathlib.Path(folder)
    folder.mkdir()

    def openssl(*words):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", *words],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    openssl("-subj", "/CN=proof CA", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("tls", "other"):
        openssl("-CA", "ca.crt", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext", "basicConstraints=CA:FALSE", "-keyout", f"{name}.key", "-out", f"{name}.crt")
    return folder


def token(build, file, name, *words):
    """Makes a token and returns it."""
    command = [str(pathlib.Path(build) / "bin/kwta"), "token", "--file", str(file), "--name", name, *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
