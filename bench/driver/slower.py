"""Imitates a slower machine: a program on every processor takes a part of its time, ahead of all others."""

import contextlib
import multiprocessing
import os
import time

from preparation import Skipped

# Others run for a part of each period, far below a call's time on a machine that is several times slower.
_PERIOD = 250e-6


def _occupy(processor, busy, ready):
    try:
        os.sched_setaffinity(0, {processor})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        ready.put(False)
        return
    ready.put(True)
    while True:
        end = time.perf_counter() + busy
        while time.perf_counter() < end:
            pass
        time.sleep(_PERIOD - busy)


def _share(seconds=0.5):
    """Returns the part of a processor that this process gets while it never waits."""
    used, start = time.process_time(), time.perf_counter()
    while time.perf_counter() < start + seconds:
        pass
    return (time.process_time() - used) / (time.perf_counter() - start)


@contextlib.contextmanager
def slower(factor):
    """Leaves other programs about 1 / factor of the processors. Yields the part that they get, as measured."""
    processors = sorted(os.sched_getaffinity(0))
    ready = multiprocessing.Queue()
    busy = _PERIOD * (1 - 1 / factor)
    programs = [
        multiprocessing.Process(target=_occupy, args=(processor, busy, ready), daemon=True) for processor in processors
    ]
    try:
        for program in programs:
            program.start()
        if not all(ready.get() for _ in programs):
            raise Skipped("--slower needs the privilege to run programs in real time (CAP_SYS_NICE)")
        yield _share()
    finally:
        for program in programs:
            if program.pid is not None:
                program.terminate()
                program.join()
