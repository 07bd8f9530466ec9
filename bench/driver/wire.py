"""Measures a real server, with `kwta load` on the same machine as its client."""

import array
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from preparation import Skipped, last_line
from turns import OurWork

SMALL = "images-1000"
LARGE = "patches-32768"
# Work that makes the models if the inputs lack them.
MAKERS = {SMALL: "encode data=images units=1000 k=75 batch=256", LARGE: "encode data=patches units=32768 k=32 batch=1024"}
WIDTH = 784
OUTSTANDING = 64
# Anything else that stops a processor decides a p99. Most rounds see no such stop.
TAIL_ROUNDS = 7
# Unanswered messages of a stream: as many as a server allows by default. A stream is meant to be filled; a call must
# wait.
STREAM_OUTSTANDING = 256
SILENCE = 5.0


class Server:
    """A program that writes a line of JSON with its ports to a descriptor when it is ready."""

    def __init__(self, command):
        read_end, write_end = os.pipe()
        self.errors = tempfile.TemporaryFile()
        command = [*command, "--ready-fd", str(write_end)]
        self.process = subprocess.Popen(
            command, pass_fds=(write_end,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors
        )
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            line = ready.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            lines = self.errors.read().decode(errors="replace").strip().splitlines()
            raise Skipped(f"{command[0]} did not start: {lines[-1] if lines else self.process.returncode}")
        self.address = f"127.0.0.1:{json.loads(line)['grpc']}"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.errors.close()


def p99(report, whose="accepted"):
    return milliseconds(report, "p99", whose)


def milliseconds(report, which, whose="accepted"):
    if which + "_ms" not in report[whose]:
        raise Skipped(f"no call was {whose}")
    return report[whose][which + "_ms"]


class Wire:
    """Figures of the groups of bars.GROUPS that have `wire`: lists of rates or of milliseconds, one per round."""

    def __init__(self, root, programs, inputs, arguments, python, no_peers):
        self.root, self.programs, self.inputs, self.python, self.no_peers = root, programs, inputs, python, no_peers
        self.threads = arguments.threads
        self.quick = arguments.quick
        self.rounds, self.seconds, self.warm_up = (3, 0.8, 0.3) if arguments.quick else (5, 4.0, 0.5)
        self.folder = None
        self.server = None
        self.one_row_capacity = None

    def measure(self, group):
        self.start()
        return getattr(self, group.name)(group)

    def start(self):
        if self.server:
            return
        self.folder = tempfile.mkdtemp(prefix="kwta-bench-")
        for model, work in MAKERS.items():
            bundle = os.path.join(self.inputs, model + ".bundle")
            if not os.path.exists(bundle):
                OurWork(self.programs, self.inputs, self.threads, work).close()
            shutil.copytree(bundle, os.path.join(self.folder, "state/models", model, "1"))
        self.floats = os.path.join(self.folder, "floats.npy")
        write_floats(self.floats, os.path.join(self.inputs, "images.npy"), rows=1024)
        program = os.path.join(self.programs, "kwta-server")
        if not os.path.exists(program):
            raise Skipped(f"there is no {program}: build with -DKWTA_SERVER=ON")
        options = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--threads", str(self.threads)]
        state = os.path.join(self.folder, "state")
        self.server = Server([program, "--state-dir", state, "--data-dir", self.inputs, *options])

    def close(self):
        if self.server:
            self.server.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kwta(self, *words, server=None):
        command = [os.path.join(self.programs, "kwta"), "--server", (server or self.server).address, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.stdout.strip():
            raise Skipped(f"kwta {words[0]}: {last_line(done)}")
        return done.stdout

    def load(self, *words, seconds=None, server=None):
        seconds = str(seconds or self.seconds)
        return json.loads(self.kwta("load", "--seconds", seconds, "--warm-up", str(self.warm_up), *words, server=server))

    def one_row(self, *words, outstanding=OUTSTANDING, **more):
        return self.load("--model", SMALL, "--input", self.floats, "--outstanding", str(outstanding), *words, **more)

    def turns(self, contenders, rounds=None):
        """Runs the contenders in turns. Each is a function that returns a figure."""
        figures = {name: [] for name in contenders}
        for _ in range(rounds or self.rounds):
            for name, run in contenders.items():
                figures[name].append(run())
        return figures

    def capacity(self):
        """Returns the number of one-row calls per second that the server answers."""
        if self.one_row_capacity is None:
            rates = self.turns({"ours": lambda: self.one_row()["calls_per_second"]})["ours"]
            self.one_row_capacity = sorted(rates)[len(rates) // 2]
        return self.one_row_capacity

    def load_half(self):
        return self.load("--model", SMALL, "--input", self.floats, "--rate", str(self.capacity() / 2))

    def at_half(self):
        return p99(self.load_half())

    def wire_unary(self, _):
        def empty():
            report = self.one_row("--empty")
            return sum(report["answers"].values()) / report["seconds"]

        return self.turns({"ours": lambda: self.one_row()["calls_per_second"], "empty": empty})

    def wire_stream(self, _):
        return self.turns(
            {
                "ours": lambda: self.one_row("--stream", outstanding=STREAM_OUTSTANDING)["rows_per_second"],
                "unary": lambda: self.one_row()["rows_per_second"],
            }
        )

    def wire_b256_u8(self, group):
        words = ["--model", SMALL, "--input", os.path.join(self.inputs, "images.npy"), "--rows", "256", "--k", "75"]
        local = OurWork(self.programs, self.inputs, self.threads, group.work)

        def in_process():
            done = local.run(self.seconds)
            return done["rows"] / done["seconds"]

        try:
            return self.turns(
                {
                    "ours": lambda: self.load(*words, "--outstanding", "4")["rows_per_second"],
                    "in_process": in_process,
                }
            )
        finally:
            local.close()

    def wire_vs_torchserve_like(self, _):
        contenders = {"ours": lambda: self.one_row("--k", "75")["calls_per_second"]}
        if not self.python:
            print(f"skipped wire_vs_torchserve_like grpc_aio: {self.no_peers}")
            return self.turns(contenders)
        script = os.path.join(self.root, "bench/peers/grpc_server.py")
        words = ["--inputs", self.inputs, "--proto", os.path.join(self.root, "proto"), "--threads", str(self.threads)]
        peer = Server([self.python, script, *words])
        try:
            contenders["grpc_aio"] = lambda: self.one_row("--k", "75", server=peer)["calls_per_second"]
            return self.turns(contenders)
        finally:
            peer.close()

    def tail(self, _):
        reports = [self.load_half() for _ in range(TAIL_ROUNDS)]
        return {"ours": [p99(report) for report in reports], "median": [milliseconds(report, "p50") for report in reports]}

    def tail_training(self, _):
        self.capacity()

        def during():
            words = ["--model", "trained-meanwhile", "--data", "images.npy", "--units", "1000", "--epochs", "1000"]
            job = json.loads(self.kwta("train", *words))["id"]
            try:
                while json.loads(self.kwta("jobs", job))["jobs"][0].get("progress", {}).get("epochs_done", 0) < 1:
                    time.sleep(0.2)
                return self.at_half()
            finally:
                self.kwta("cancel", job)
                while json.loads(self.kwta("jobs", job))["jobs"][0]["state"] != "JOB_STATE_CANCELLED":
                    time.sleep(0.1)

        return self.turns({"ours": during, "without": self.at_half}, TAIL_ROUNDS)

    def idle(self, _):
        words = ["--model", SMALL, "--input", self.floats, "--rate", str(1 / SILENCE)]
        report = self.load(*words, seconds=(1.5 if self.quick else 4.5) * SILENCE)
        return {"ours": [report["accepted"]["p50_ms"]]}

    def overload(self, _):
        words = ["--model", LARGE, "--rows", "16"]
        # Messages of a stream are not refused, so that the rate is that of computing alone: refused calls, made again at
        # once, would take a part of the processors.
        stream = [*words, "--stream", "--outstanding", "16"]
        rates = self.turns({"ours": lambda: self.load(*stream)["calls_per_second"]})["ours"]
        rate = sorted(rates)[len(rates) // 2]
        refusals = []

        def at_ten_times():
            report = self.load(*words, "--rate", str(10 * rate))
            refusals.append(p99(report, "refused"))
            return p99(report)

        figures = self.turns({"ours": at_ten_times, "at_capacity": lambda: p99(self.load(*words, "--rate", str(rate)))})
        return {**figures, "refusal": refusals}

    def reloads(self, _):
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            command = [os.path.join(self.root, "scripts/reloads"), "--programs", self.programs, "--json", report.name]
            done = subprocess.run(
                [*command, "--swaps", "60" if self.quick else "1000"], capture_output=True, text=True, check=False
            )
            figures = json.loads(report.read() or "null")
        if not figures or not figures["calls"]:
            raise Skipped(f"scripts/reloads: {last_line(done)}")
        return {"ours": [100 * figures["growth"]], "failed": [figures["failed"]]}


def write_floats(path, images, rows):
    """Writes the first rows of images.npy, which holds bytes, as an npy file of f32 between 0 and 1."""
    with open(images, "rb") as file:
        magic = file.read(10)
        if magic[:8] != b"\x93NUMPY\x01\x00":
            raise Skipped(f"{images} is no npy file of version 1.0")
        file.seek(int.from_bytes(magic[8:], "little"), os.SEEK_CUR)
        pixels = file.read(rows * WIDTH)
    elements = array.array("f", (pixel / 255 for pixel in pixels))
    header = repr({"descr": "<f4", "fortran_order": False, "shape": (len(pixels) // WIDTH, WIDTH)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        elements.tofile(file)
