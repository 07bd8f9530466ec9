"""Prepares what the measurements need: programs, other libraries, inputs."""

import json
import os
import shutil
import subprocess
import sys

FIXTURES = "tests/data/datasets"


class Skipped(Exception):
    """A part of the benchmarks needs something that is out of reach; the message says what and why."""


def note(message):
    print(f"bench: {message}", file=sys.stderr, flush=True)


def build_programs(root, server=False):
    """Builds the benchmark programs and returns their folder."""
    note("building the programs in build/bench")
    subprocess.run([os.path.join(root, "scripts/setup"), "--bench"], check=True, stdout=subprocess.DEVNULL)
    configure = ["cmake", "-S", ".", "-B", "build/bench", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    options = {"WERROR": "ON", "SERVER": "ON" if server else "OFF", "TESTS": "OFF", "BENCH": "ON"}
    configure += [f"-DKWTA_{name}={value}" for name, value in options.items()]
    subprocess.run(configure, cwd=root, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "build/bench"], cwd=root, check=True, stdout=sys.stderr)
    return os.path.join(root, "build/bench/bin")


def peer_python(root):
    """Returns the interpreter of a virtual environment with bench/peers/requirements.txt, and makes it if need be.

    Raises Skipped if packages cannot be fetched.
    """
    folder = os.path.join(root, "build/bench-env")
    wanted_path = os.path.join(root, "bench/peers/requirements.txt")
    made_path = os.path.join(folder, "made-from.txt")
    python = os.path.join(folder, "bin/python")
    with open(wanted_path, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(made_path):
        with open(made_path, encoding="utf-8") as file:
            if file.read() == wanted:
                return python
    note("making build/bench-env with PyTorch, ONNX Runtime and scikit-learn from PyPI; once, some minutes")
    if not os.path.exists(python):
        made = subprocess.run(
            [sys.executable, "-m", "venv", folder], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise Skipped(f"python3 -m venv failed (Debian: install python3-venv): {last_line(made)}")
    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "-r", wanted_path],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        raise Skipped(f"packages could not be installed from PyPI: {last_line(installed)}")
    with open(made_path, "w", encoding="utf-8") as file:
        file.write(wanted)
    return python


def last_line(finished):
    lines = (finished.stderr or finished.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit status {finished.returncode}"


def write_inputs(root, programs, data, python):
    """Fills a folder with the images to work on. Returns the folder and the names of the data sets."""
    source = os.path.abspath(data) if data else ""
    folder = os.path.join(root, "build/bench-inputs")
    done = os.path.join(folder, "done.json")
    if os.path.exists(done):
        with open(done, encoding="utf-8") as file:
            known = json.load(file)
        if known["source"] == source and (known["whitened"] or python is None):
            return folder, known["datasets"]
    shutil.rmtree(folder, ignore_errors=True)
    note("writing the inputs to build/bench-inputs; once, half a minute")
    command = [os.path.join(programs, "work_bench"), "inputs", "--output", folder]
    for directory in ([source] if source else []):
        command += ["--data", directory]
    written = subprocess.run(command, capture_output=True, text=True, check=False)
    if written.returncode != 0:
        # Without MNIST and the package with Fashion-MNIST, use the tests' few images.
        command += ["--data", os.path.join(root, FIXTURES)]
        written = subprocess.run(command, capture_output=True, text=True, check=True)
    datasets = json.loads(written.stdout)["datasets"]
    if python is not None:
        subprocess.run([python, os.path.join(root, "bench/peers/whiten.py"), folder], check=True)
    with open(done, "w", encoding="utf-8") as file:
        json.dump({"source": source, "datasets": datasets, "whitened": python is not None}, file)
    return folder, datasets
