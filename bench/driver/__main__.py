"""scripts/bench: benchmarks of kwta beside other libraries, on the same cores in the same run.

examples:
  scripts/bench                                  every bar, about ten minutes
  scripts/bench --quick                          every bar, under three minutes once things are built
  scripts/bench --only select,encode_b1          some bars
  scripts/bench --only wire_unary,tail,overload  bars of a real server, with a client on the same machine
  scripts/bench --data ~/data --json result.json MNIST and CIFAR-10 from ~/data/mnist and ~/data/cifar10
  scripts/bench --force-isa avx2 --quick         every bar on the AVX2 paths of a better machine, the others held to it too
  scripts/bench --force-isa avx2 --slower 5 --only tail,overload
                                                 on processors that others use for four fifths (needs the privilege)
  scripts/bench growth --plot growth.svg         rates against units, k, batch and threads
  scripts/bench instructions                     instruction counts of hot loops against bench/instructions.json
  scripts/bench instructions --update            and write them anew
  scripts/bench --realtime --only select         on a machine that is busy otherwise (needs the privilege)
  scripts/bench micro --benchmark_filter=Step    the Google Benchmark programs; arguments go to them

docs/performance.md says what each line means.
"""

import argparse
import contextlib
import glob
import json
import os
import subprocess
import sys

import bars
import growth
import instructions
import machine
import preparation
from measure import measure, print_bars, print_isa, print_machine, warn_if_busy
from slower import slower
from turns import Peers
from wire import Wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parse(words):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="bars", choices=("bars", "growth", "instructions", "micro"))
    parser.add_argument("--quick", action="store_true", help="shorter slices, fewer rounds and peers")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAME,...", help="some bars")
    parser.add_argument("--json", metavar="FILE", help="write every figure and the machine's facts")
    parser.add_argument(
        "--data",
        metavar="DIR",
        default=os.environ.get("KWTA_DATA", ""),
        help="folder with mnist/ and cifar10/ (default: $KWTA_DATA; else Fashion-MNIST)",
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: every processor")
    parser.add_argument(
        "--realtime", action="store_true", help="measure before every other program, which come to a halt meanwhile"
    )
    parser.add_argument(
        "--force-isa",
        choices=tuple(machine.FORCED),
        help="hold kwta and the other libraries to a lower instruction set than the machine's best",
    )
    parser.add_argument(
        "--slower",
        type=float,
        metavar="N",
        help="imitate a machine that is N times slower, for bars over the wire: take the rest of every processor's time",
    )
    parser.add_argument("--programs", metavar="DIR", help="use the programs in DIR instead of building build/bench")
    parser.add_argument("--no-peers", action="store_true", help="measure kwta and the machine only")
    parser.add_argument("--plot", metavar="FILE", help="growth: draw the rates, an SVG file")
    parser.add_argument("--update", action="store_true", help="instructions: write bench/instructions.json")
    arguments, rest = parser.parse_known_args(words)
    if rest and arguments.what != "micro":
        parser.error(f"unknown arguments {' '.join(rest)}")
    if arguments.slower is not None and not 1 < arguments.slower <= 10:
        parser.error("--slower: expected more than 1, at most 10")
    try:
        bars.groups_of(arguments.only)
    except ValueError as error:
        parser.error(str(error))
    return arguments, rest


def peer_interpreter(arguments):
    if arguments.no_peers:
        return None, "--no-peers"
    try:
        return preparation.peer_python(ROOT), ""
    except preparation.Skipped as reason:
        preparation.note(f"no other libraries: {reason}")
        return None, str(reason)


def run_bars(arguments, programs):
    facts = machine.facts(ROOT, arguments.threads)
    print_isa(facts)
    python, no_peers = peer_interpreter(arguments)
    inputs, facts["datasets"] = preparation.write_inputs(ROOT, programs, arguments.data, python)
    print(f"machine {facts['processor']}, {facts['family']}, {arguments.threads} threads")
    if not arguments.realtime:
        warn_if_busy(facts["load_before"], arguments.threads)
    print(f"data {', '.join(facts['datasets'])}")
    if any(group.wire for group in bars.groups_of(arguments.only)):
        facts["stalls"] = machine.stalls()
        print("stalls {fraction:.1%} of a processor's time, the longest {longest_ms:.1f} ms".format(**facts["stalls"]))
    peers = Peers(ROOT, python, inputs, arguments.threads) if python else None
    wire = Wire(ROOT, programs, inputs, arguments, python, no_peers)
    try:
        if peers:
            facts["versions"] = peers.versions()
            print("peers " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()))
        with slower(arguments.slower) if arguments.slower else contextlib.nullcontext() as share:
            if share is not None:
                facts["share"] = share
                print(f"slower: programs get {share:.0%} of a processor")
            measurement = measure(arguments, programs, inputs, peers, no_peers, wire)
    finally:
        wire.close()
        if peers:
            peers.close()
    print()
    print_machine(measurement.results)
    rows = measurement.bars(arguments.only, facts["isa"])
    print_bars(rows, facts["isa"])
    return {
        "machine": facts,
        "groups": measurement.results,
        "bars": {bar.name: {"value": value, "must": must, "aim": aim} for bar, value, must, aim in rows},
    }


def run_growth(arguments, programs):
    inputs, datasets = preparation.write_inputs(ROOT, programs, arguments.data, None)
    facts = machine.facts(ROOT, arguments.threads)
    print_isa(facts)
    figures = growth.sweep(programs, inputs, arguments)
    if arguments.plot:
        growth.plot(figures, arguments.plot)
    return {"machine": {**facts, "datasets": datasets}, "growth": figures}


def main():
    arguments, rest = parse(sys.argv[1:])
    if arguments.force_isa:
        machine.force(arguments.force_isa)
    wire = arguments.what == "bars" and any(group.wire for group in bars.groups_of(arguments.only))
    programs = arguments.programs or preparation.build_programs(ROOT, server=wire)
    if arguments.what == "micro":
        for program in sorted(set(glob.glob(os.path.join(programs, "*_bench"))) - {os.path.join(programs, "work_bench")}):
            subprocess.run([program, *rest], check=True)
        return 0
    if arguments.realtime:
        # Every measured program inherits it.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    if arguments.what == "instructions":
        return instructions.check(ROOT, programs, arguments.update)
    figures = run_growth(arguments, programs) if arguments.what == "growth" else run_bars(arguments, programs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (preparation.Skipped, OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"bench: {failure}")
