"""Instruction counts of small, fixed pieces of work, so that a regression shows on any machine.

Valgrind counts them with one thread, the AVX2 kernels (it does not support AVX-512), random weights and the tests'
images. The cost of a call is the difference between a run with more calls and one with fewer, divided by the number of
extra calls, so set-up does not count.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile

from preparation import FIXTURES, note

# check() reports a count that has moved by more than this fraction. Compilers differ by less.
TOLERANCE = 0.05
WORK = {
    "encode_b16": "encode data=images weights=random units=256 k=16 batch=16",
    "encode_b1": "encode data=images weights=random units=256 k=16 batch=1",
    "encode_u8_b16": "encode data=images weights=random units=256 k=16 batch=16 dtype=u8",
    "encode_large_b16": "encode data=images weights=random units=4096 k=16 batch=16",
    "train_b20": "train data=images units=128 k=8 batch=20 warm=40",
    "train_maps_b20": "train_maps data=images maps=16 batch=20",
    "encode_maps_b20": "encode_maps data=images maps=16 batch=20",
    "select": "select data=images weights=random units=4096 k=64 rows=8",
}
CALLS = (3, 7)


def count(programs, inputs, work, calls):
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    # A choice by measurement would have no fixed count.
    environment["KWTA_FORCE_FILTER"] = "int8"
    program = [os.path.join(programs, "work_bench"), "run", "--inputs", inputs, "--threads", "1", "--calls"]
    # This run trains the weights and keeps them, so that no counted run has to.
    subprocess.run([*program, "1", *work.split()], env=environment, check=True, stdout=subprocess.DEVNULL)
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *program, str(calls), *work.split()]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", finished.stderr)
    if finished.returncode != 0 or not found:
        raise RuntimeError(f"'{work}' failed under valgrind: {finished.stderr[-500:]}")
    return int(found.group(1))


def check(root, programs, update):
    """Prints every count beside the recorded one. Returns exit status 1 if a count has grown beyond the tolerance."""
    if shutil.which("valgrind") is None:
        note("instructions: valgrind is not installed (scripts/setup --bench)")
        return 2
    recorded_path = os.path.join(root, "bench/instructions.json")
    recorded = {}
    if os.path.exists(recorded_path):
        with open(recorded_path, encoding="utf-8") as file:
            recorded = json.load(file)
    counts = {}
    worse = False
    with tempfile.TemporaryDirectory() as inputs:
        command = [os.path.join(programs, "work_bench"), "inputs", "--output", inputs]
        subprocess.run(command + ["--data", os.path.join(root, FIXTURES)], check=True, stdout=subprocess.DEVNULL)
        for name, work in WORK.items():
            few, many = (count(programs, inputs, work, calls) for calls in CALLS)
            counts[name] = (many - few) // (CALLS[1] - CALLS[0])
            before = recorded.get(name)
            change = f"{counts[name] / before - 1:+.1%}" if before else "new"
            moved = before and abs(counts[name] / before - 1) > TOLERANCE
            worse = worse or bool(moved and counts[name] > before)
            print(f"{name:16s} {counts[name]:12d} instructions a call  {change}{'  MOVED' if moved else ''}", flush=True)
    if update:
        with open(recorded_path, "w", encoding="utf-8") as file:
            json.dump(counts, file, indent=1)
            file.write("\n")
        return 0
    return 1 if worse else 0
