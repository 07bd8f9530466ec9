"""Does the work of bench/work with other libraries, in turns with it.

    python worker.py --inputs DIR --threads N

Reads requests from standard input, one JSON object a line, and answers each with one:

    {"setup": "encode data=images units=1000 k=75 batch=256", "variants": ["eager", "compiled"]}
        -> {"ready": ["eager", ...], "skipped": {"compiled": "why"}}
    {"run": "eager", "seconds": 0.5}        -> {"rows": .., "seconds": ..}
    {"versions": true}                      -> {"torch": "..", ...}

A ready variant is compiled and warmed up. The process takes no processor time while it waits for a request.
"""

import argparse
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import time

import torch
import torch._inductor.config as inductor

import convolution
import k_sparse
import other_libraries
import selection
from inputs import Inputs

# For each family, functions that map a description to the makers of its variants. Others are named after their module
# and its function: train_rbm is rbm.train_variants.
FAMILIES = {
    "encode": (k_sparse.encode_variants, other_libraries.encode_variants),
    "train": (k_sparse.train_variants,),
    "select": (selection.variants,),
    "encode_maps": (convolution.encode_variants,),
    "train_maps": (convolution.train_variants,),
}
WARM_UP_CALLS = 3


def families_of(kind):
    if kind in FAMILIES:
        return FAMILIES[kind]
    verb, _, module = kind.partition("_")
    if not module or importlib.util.find_spec(module) is None:
        return ()
    return (getattr(importlib.import_module(module), f"{verb}_variants"),)


def parse(words):
    kind, *pairs = words.split()
    work = {"kind": kind}
    for pair in pairs:
        name, value = pair.split("=", 1)
        work[name] = int(value) if value.isdigit() else value
    return work


class Worker:
    def __init__(self, inputs):
        self.inputs = inputs
        self.calls = {}

    def setup(self, words, wanted):
        self.calls = {}
        gc.collect()
        torch.compiler.reset()
        work = parse(words)
        makers = {}
        for family in families_of(work["kind"]):
            makers.update(family(work, self.inputs))
        skipped = {}
        for variant in wanted:
            try:
                call = makers[variant]()
                for _ in range(WARM_UP_CALLS):
                    call()
                self.calls[variant] = call
            except Exception as error:  # libraries raise anything; measure the other variants anyway
                skipped[variant] = f"{type(error).__name__}: {str(error)[:300]}"
        return {"ready": list(self.calls), "skipped": skipped}

    def run(self, variant, seconds):
        call = self.calls[variant]
        rows = 0
        start = time.perf_counter()
        while True:
            rows += call()
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return {"rows": rows, "seconds": elapsed}


def versions():
    packages = ("torch", "numpy", "onnxruntime", "scikit-learn")
    return {package: importlib.metadata.version(package) for package in packages}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    bits = os.environ.get("KWTA_BENCH_COMPILED_BITS")
    if bits:
        inductor.cpp.simdlen = int(bits)  # vectors of compiled code
    worker = Worker(Inputs(arguments.inputs, arguments.threads))
    for line in sys.stdin:
        request = json.loads(line)
        if "setup" in request:
            answer = worker.setup(request["setup"], request["variants"])
        elif "run" in request:
            answer = worker.run(request["run"], request["seconds"])
        else:
            answer = versions()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
