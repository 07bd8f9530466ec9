"""Faults that queries need before they have data. Each function makes one; faults.json says which queries need it."""
import json
import pathlib
import shutil

from .prometheus import wait_until
from .queries import ROOT


def by_fault():
    """{fault: [names of queries]}, in the order in which the faults are made."""
    return json.loads((pathlib.Path(__file__).resolve().parent / "faults.json").read_text())


def unknown_model(replicas):
    """Callers ask for a model that is not there."""
    replicas.open.call("load", "--model", "nobody", "--data", "fashion-mnist", "--seconds", 3, "--warm-up", 0, "--rate", 10,
                       "--data-dir", ROOT / "tests/data/datasets", fails=True)


def tiny_quota(replicas):
    """A caller goes far beyond its one call a second."""
    replicas.closed.call("load", "--model", "fashion", "--rate", 50, "--seconds", 4, flags=replicas.poor_flags)


def damaged_bundle(replicas):
    """A version appears of which a file is cut short."""
    versions = replicas.open.folder / "state/models/fashion"
    good = max((path for path in versions.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    bad = versions / str(int(good.name) + 50)
    hidden = versions / f".{bad.name}"
    shutil.copytree(good, hidden)
    for file in hidden.iterdir():
        if file.suffix == ".safetensors":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    hidden.rename(bad)


def failing_job(replicas):
    """A job diverges."""
    replicas.open.train("hopeless", "--watch", "--units", 64, "--k", 8, "--rate", 1e9, "--epochs", 50, fails=True)


def other_key(replicas):
    """The certificate is renewed, its key is not."""
    shutil.copy(replicas.certificates / "other.crt", replicas.certificates / "tls.crt.new")
    (replicas.certificates / "tls.crt.new").rename(replicas.certificates / "tls.crt")


def ask_until_data(ask, without_data, seconds=20):
    """Asks until all queries have data, for counters need two scrapes, or until the time is over; returns the last answers."""
    last = {}

    def all_there():
        nonlocal last
        last = ask()
        return not without_data(last)

    try:
        wait_until(all_there, seconds, "data after the fault")
    except TimeoutError:
        pass  # Who asked sees what is missing.
    return last
