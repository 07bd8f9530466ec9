"""A real server with trained models, jobs and tokens."""
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request


class Service:
    """kwta-server on free ports with a state directory; `tokens`: callers must show one."""

    def __init__(self, programs, data, work, name, tokens=False):
        self.programs, self.work, self.jobs = programs, work, 0
        self.token_file = work / f"{name}-tokens.json"
        self.tokens = {}
        if tokens:
            self.tokens = {who: self.make_token(who, scopes) for who, scopes in
                           {"viewer": ["encode"], "trainer": ["encode", "train"], "admin": ["encode", "train", "admin"]}.items()}
        reader, writer = os.pipe()
        with open(work / f"{name}.log", "wb") as log:
            self.process = subprocess.Popen(
                [programs / "kwta-server", "--state-dir", work / name, "--data-dir", data, "--data-dir", work,
                 "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-fd", str(writer), "--trainer-niceness", "0",
                 *(["--tokens", self.token_file] if tokens else [])], pass_fds=[writer], stderr=log, stdout=log)
        os.close(writer)
        with os.fdopen(reader) as ready:
            line = ready.readline()
        if not line:
            sys.exit(f"page: the server does not start:\n{(work / f'{name}.log').read_text()[-3000:]}")
        ports = json.loads(line)
        self.grpc, self.url = f"127.0.0.1:{ports['grpc']}", f"http://127.0.0.1:{ports['http']}/"

    def make_token(self, name, scopes):
        flags = [flag for scope in scopes for flag in ("--scope", scope)]
        run = subprocess.run([self.programs / "kwta", "token", "--file", self.token_file, "--name", name, *flags],
                             stdout=subprocess.PIPE, text=True, check=True)
        return run.stdout.strip()

    def kwta(self, *command):
        token = self.tokens.get("admin", "")
        environment = {**os.environ, **({"KWTA_TOKEN": token} if token else {})}
        run = subprocess.run([self.programs / "kwta", "--server", self.grpc, *map(str, command)], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, env=environment)
        if run.returncode != 0:
            sys.exit(f"page: kwta {' '.join(map(str, command))} fails:\n{run.stdout}")
        return run.stdout

    def fail_a_call(self):
        """Asks a model that is not there."""
        row = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
        request = urllib.request.Request(f"{self.url}v2/models/nobody/infer", json.dumps(row).encode(), {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            return
        raise AssertionError("a model that is not there has answered")

    def train(self, model, *options, watch=True):
        """Returns the job's id."""
        self.jobs += 1
        job = f"job-{model}-{self.jobs}"
        self.kwta("train", "--model", model, "--job-id", job, *(["--watch"] if watch else []), *options)
        return job

    def stop(self):
        self.process.terminate()
        self.process.wait()
