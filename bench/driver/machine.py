"""Facts about the machine that figures depend on."""

import os
import platform
import subprocess


def _cpuinfo():
    fields = {}
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields


def isa(flags):
    """The best instruction set that matters to the kernels."""
    if "amx_int8" in flags or "amx_bf16" in flags:
        return "amx"
    if "avx512_vnni" in flags or "avx_vnni" in flags:
        return "vnni"
    return "avx512" if "avx512f" in flags else "avx2"


def facts(root, threads):
    cpu = _cpuinfo()
    flags = cpu.get("flags", "").split()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return {
        "isa": isa(flags),
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
