#!/usr/bin/env python3
"""Reads dashboards with the types of Grafana's own schema (grafana-foundation-sdk) and counts what these do not know.

usage: schema.py DASHBOARD.json...      The last line is schema_errors=N; the status is 1 unless N is 0.

The types drop keys that they do not know. So a dashboard is decoded, encoded again and compared: a key that is gone or has
another value is no part of the schema. Panels' options and queries are decoded by the types of their plugins. The types do not
look at values either; this looks at each value of a decoded dashboard with the type that its class declares, and at units.
"""
import enum
import json
import pathlib
import sys
import types as python_types
import typing

from grafana_foundation_sdk.cog import encoder, plugins, runtime
from grafana_foundation_sdk.models import dashboard as types
from grafana_foundation_sdk.models import prometheus, units

# Keys that Grafana's Prometheus plugin reads of an annotation; the schema of annotations says nothing of plugins' keys.
ANNOTATION_KEYS = {"titleFormat", "textFormat", "tagKeys"}


def plain(value):
    return json.loads(json.dumps(value, cls=encoder.JSONEncoder))


def differences(wanted, got, where):
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in wanted.items():
            if key in got:
                yield from differences(value, got[key], f"{where}.{key}")
            # The types leave out what is empty or null, which means the same.
            elif value not in (None, [], {}, ""):
                yield f"{where}.{key}: not in the schema"
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for index, (one, other) in enumerate(zip(wanted, got)):
            yield from differences(one, other, f"{where}[{index}]")
    elif wanted != got:
        yield f"{where}: {wanted!r} became {got!r}"


def fits(value, hint):
    """Whether a value is what a type hint says; objects of the schema's classes are looked at by mistyped()."""
    origin = typing.get_origin(hint)
    if hint is typing.Any or hint is object:
        return True
    if origin in (typing.Union, python_types.UnionType):
        return any(fits(value, one) for one in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(fits(one, typing.get_args(hint)[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, typing.get_args(hint)[1]) for one in value.values())
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [one.value for one in hint]
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # The types leave some lists as they were.
        decoded = hint.from_json(value)
        return not [*differences(value, plain(decoded), ""), *mistyped(decoded, "")]
    return isinstance(value, hint) if isinstance(hint, type) else True


def mistyped(value, where):
    if isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from mistyped(one, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from mistyped(one, f"{where}.{key}")
    elif type(value).__module__.startswith("grafana_foundation_sdk.") and not isinstance(value, enum.Enum):
        for name, hint in typing.get_type_hints(type(value)).items():
            one = getattr(value, name, None)
            if one is not None and not fits(one, hint):
                yield f"{where}.{name}: {one!r} is no {hint}"
            yield from mistyped(one, f"{where}.{name}")


UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}


def known_type(panel, where):
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    if unit is not None and unit not in UNITS:
        yield f"{where}: no unit '{unit}'"
    if panel["type"] != "row" and runtime.panelcfg_config(panel["type"]) is None:
        yield f"{where}: no panel of type '{panel['type']}'"
    for target in panel.get("targets", []):
        yield from differences(target, plain(prometheus.Dataquery.from_json(target)), f"{where}.query {target['refId']}")


def errors(path):
    wanted = json.loads(path.read_text())
    try:
        decoded = types.Dashboard.from_json(wanted)
        got = plain(decoded)
    except Exception as error:  # The types raise whatever comes of a value that they do not expect.
        yield f"{path.name}: {type(error).__name__}: {error}"
        return
    for annotation in wanted["annotations"]["list"]:
        for key in ANNOTATION_KEYS:
            annotation.pop(key, None)
    yield from differences(wanted, got, path.name)
    yield from mistyped(decoded, path.name)
    for panel in wanted["panels"]:
        for inner in [panel, *panel.get("panels", [])]:
            yield from known_type(inner, f"{path.name}: {inner['title']}")


def main():
    plugins.register_default_plugins()
    count = 0
    for name in sys.argv[1:]:
        for error in errors(pathlib.Path(name)):
            print(error, file=sys.stderr)
            count += 1
    print(f"schema_errors={count}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
