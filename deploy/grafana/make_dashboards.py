#!/usr/bin/env python3
"""Writes dashboards/*.json from source/. With --check it writes nothing, and fails if a file is not what it would write.

usage: deploy/grafana/make_dashboards.py [--check]
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
from source import fleet, serving, sparsity, training  # noqa: E402: found through the path above


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    folder = HERE / "dashboards"
    made = {}
    for module in (serving, sparsity, training, fleet):
        dashboard = module.build()
        made[dashboard["uid"].removeprefix("kwta-") + ".json"] = json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"
    stale = [name for name, text in made.items() if not (folder / name).is_file() or (folder / name).read_text() != text]
    strange = [path.name for path in sorted(folder.glob("*")) if path.name not in made]
    if check:
        for name in stale:
            print(f"{folder / name} is not what source/ says: run {pathlib.Path(__file__).name}", file=sys.stderr)
        for name in strange:
            print(f"{folder / name} has no source", file=sys.stderr)
        return 1 if stale or strange else 0
    for name, text in made.items():
        (folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
