"""Properties of the machine that affect the figures."""

import multiprocessing
import os
import platform
import subprocess
import time


def _cpuinfo():
    fields = {}
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields


# What holds kwta and the libraries beside it to an instruction set: kwta, oneDNN (its own name and its older one), PyTorch's
# own kernels and what torch.compile generates, MKL and OpenBLAS beneath them.
def _environment(onednn, aten, bits, mkl, openblas):
    return {
        "ONEDNN_MAX_CPU_ISA": onednn,
        "DNNL_MAX_CPU_ISA": onednn,
        "ATEN_CPU_CAPABILITY": aten,
        "KWTA_BENCH_COMPILED_BITS": bits,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "OPENBLAS_CORETYPE": openblas,
    }


FORCED = {
    "avx2": _environment("AVX2", "avx2", "256", "AVX2", "Haswell"),
    "avx512": _environment("AVX512_CORE", "avx512", "512", "AVX512", "SkylakeX"),
    "vnni": _environment("AVX512_CORE_VNNI", "avx512", "512", "AVX512", "SkylakeX"),
}
# Libraries that no setting holds to an instruction set.
NOT_FORCED = ("onnxruntime",)
_FORCE = "KWTA_FORCE_ISA"


def force(name):
    """Holds this process's children, and the results, to an instruction set of FORCED."""
    os.environ.update({_FORCE: name, **FORCED[name]})


def is_forced():
    return _FORCE in os.environ


def isa(flags):
    """Returns the best instruction set that matters to the kernels."""
    if "amx_int8" in flags or "amx_bf16" in flags:
        return "amx"
    if "avx512_vnni" in flags or "avx_vnni" in flags:
        return "vnni"
    return "avx512" if "avx512f" in flags else "avx2"


# A processor that does nothing else takes no longer than this between two readings of the clock.
_STALL = 1e-3


def _stalls_of(processor, seconds):
    os.sched_setaffinity(0, {processor})
    start = last = time.perf_counter()
    lost = longest = 0.0
    while last < start + seconds:
        now = time.perf_counter()
        if now - last > _STALL:
            lost += now - last
            longest = max(longest, now - last)
        last = now
    return lost / seconds, longest * 1e3


def stalls(seconds=2.0):
    """Measures the time that others take from programs that never wait.

    Others include the system and other machines on the same processors. Returns the fraction of time in pauses of more
    than a millisecond, on the worst processor, and the longest pause in ms. A p99 below that pause needs a fraction below a
    hundredth.
    """
    processors = sorted(os.sched_getaffinity(0))
    with multiprocessing.Pool(len(processors)) as pool:
        found = pool.starmap(_stalls_of, [(processor, seconds) for processor in processors])
    return {"fraction": max(lost for lost, _ in found), "longest_ms": max(longest for _, longest in found)}


def facts(root, threads):
    cpu = _cpuinfo()
    flags = cpu.get("flags", "").split()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return {
        "isa": os.environ.get(_FORCE, isa(flags)),
        "best_isa": isa(flags),
        "processor": cpu.get("model name", platform.machine()),
        "family": f"{cpu.get('vendor_id', '?')} family {cpu.get('cpu family', '?')} model {cpu.get('model', '?')}",
        "flags": [f for f in flags if f.startswith(("avx", "amx", "fma"))],
        "processors": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "compiler": compiler[0] if compiler else "",
        "commit": commit,
    }
