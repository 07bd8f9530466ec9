"""Measures groups and prints their figures and bars."""

import bars
import machine
from preparation import Skipped, note
from turns import OurWork, Peers, summary, take_turns


class Measurement:
    """peers: a Peers or None; if None, no_peers says why."""

    def __init__(self, programs, inputs, threads, quick, peers, no_peers="", wire=None):
        self.programs, self.inputs, self.threads, self.quick = programs, inputs, threads, quick
        self.peers, self.no_peers = peers, no_peers
        self.wire = wire
        self.results = {}

    def group(self, group):
        """Measures one group and returns {contender: summary}. Contenders that cannot run are noted and left out."""
        if group.wire:
            figures = self.wire.measure(group)
            self.results[group.name] = {name: summary(values) for name, values in figures.items()}
            return self.results[group.name]
        ours = {}
        seconds, rounds = (0.3, 3) if self.quick else (1.0, 5)
        works = {"ours": group.work, **group.machine}
        if group.name == "train_time":
            # A slice is a whole job. Longer ones need neither a warm-up nor several rounds.
            seconds, rounds = 0, 3 if self.quick else 1
            if self.quick:
                works = {name: words.replace("epochs=50", "epochs=4") for name, words in works.items()}
        contenders = {}
        try:
            for name, words in works.items():
                try:
                    ours[name] = OurWork(self.programs, self.inputs, self.threads, words)
                    contenders[name] = ours[name].run
                except Skipped as reason:
                    print(f"skipped {group.name} {name}: {reason}")
            contenders.update(self.peer_contenders(group))
            rates = take_turns(contenders, rounds, seconds)
        finally:
            for program in ours.values():
                program.close()
        self.results[group.name] = {name: summary(values) for name, values in rates.items()}
        return self.results[group.name]

    def peer_contenders(self, group):
        variants = group.peers if self.quick else group.peers + group.slow_peers
        if machine.is_forced():
            variants = tuple(name for name in variants if name not in machine.NOT_FORCED)
        if not variants:
            return {}
        if self.peers is None:
            print(f"skipped {group.name} peers: {self.no_peers}")
            return {}
        answer = self.peers.setup(group.work, variants)
        for variant, reason in answer["skipped"].items():
            print(f"skipped {group.name} {variant}: {reason}")
        return {variant: lambda s, v=variant: self.peers.run(v, s) for variant in answer["ready"]}

    def bars(self, only, isa):
        """Returns rows (bar, value, must reach, aim) for all bars whose groups were measured."""
        rows = []
        for bar in bars.BARS:
            if bar.group not in self.results or (only and bar.name not in only):
                continue
            medians = {name: figures["median"] for name, figures in self.results[bar.group].items()}
            rows.append((bar, bars.bar_value(bar, medians), *bar.of(isa)))
        return rows


def rate_text(rate):
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= limit:
            return f"{rate / limit:.3g}{unit}"
    return f"{rate:.3g}"


def print_group(group, figures):
    print(f"\n{group.name}")
    for contender, figure in figures.items():
        spread = f"{rate_text(figure['low'])} .. {rate_text(figure['high'])}"
        print(f"  {contender:14s} {rate_text(figure['median']):>8s}{group.unit}   {spread}", flush=True)


def print_machine(results):
    """Prints the machine's limits, as far as they were measured."""
    flops_a_row = 2 * 768 * 32768
    for contender in bars.GEMMS:
        figure = results.get("encode_sae32k", {}).get(contender)
        if figure:
            print(f"machine {contender} {figure['median'] * flops_a_row / 1e9:.0f} Gop/s")
    memory = results.get("select", {}).get("memory")
    if memory:
        print(f"machine memory_read {memory['median'] / 1e9:.1f} GB/s")


def print_isa(facts):
    forced = " (forced; the machine has {best})".format(best=facts["best_isa"])
    print(f"isa {facts['isa']}{forced if facts['isa'] != facts['best_isa'] else ''}")


def print_bars(rows, isa):
    for bar, value, _, _ in rows:
        if value is not None:
            print(f"{bar.kind} {bar.name} {value:.3g}")
    print(f"\n{'bar':22s} {'reached':>8s} {'must':>6s} {'aim':>6s}  with {isa}")
    for bar, value, must, aim in rows:
        if value is None:
            print(f"{bar.name:22s} {'-':>8s} {must:6g} {aim:6g}  not measured")
            continue
        good = value <= must if bar.less else value >= must
        aimed = value <= aim if bar.less else value >= aim
        print(f"{bar.name:22s} {value:8.3g} {must:6g} {aim:6g}  {'aim' if aimed else 'reached' if good else 'SHORT'}")


def warn_if_busy(load, threads):
    """Warns if other programs use the processors. They slow programs most whose threads wait for each other."""
    if load > threads / 4:
        print(f"warning: load average {load:.1f} on {threads} processors; figures of a busy machine mean little")


def measure(arguments, programs, inputs, peers, no_peers, wire):
    measurement = Measurement(programs, inputs, arguments.threads, arguments.quick, peers, no_peers, wire)
    for group in bars.groups_of(arguments.only):
        note(f"measuring {group.name}")
        try:
            print_group(group, measurement.group(group))
        except Skipped as reason:
            print(f"skipped {group.name}: {reason}")
    return measurement
