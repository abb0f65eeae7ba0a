"""Resources written with a call's parameters, such as `cluster/{clusterName=default|last}`; actions.toml says how."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cabstand.local.permissions.conditions import listed

_PLACE = re.compile(r"\{([^{}]+)\}")
Function = Callable[[Any, Mapping[str, Any]], Any]


def render(template: str, scope: Mapping[str, Any], functions: Mapping[str, Function]) -> list[str]:
    """Return what a template stands for: a text for each value of its parameters; none if an optional one is absent."""
    place = _PLACE.search(template)
    if place is None:
        return [template]
    rendered = []
    for value in _values(place[1], scope, functions):
        whole = template[: place.start()] + value + template[place.end() :]
        rendered += [value] if value.startswith("arn:") else render(whole, scope, functions)
    return list(dict.fromkeys(rendered))


def _values(expression: str, scope: Mapping[str, Any], functions: Mapping[str, Function]) -> list[str]:
    names, _, function = expression.partition("|")
    names, _, default = names.partition("=")
    optional = names.endswith("?")
    found: list[Any] = next((some for name in names.rstrip("?").split(",") if (some := given(scope, name))), [])
    found = found or ([default] if default else [])
    if not found:
        return [] if optional else ["*"]
    if function:
        found = [one for value in found for one in listed(functions[function](value, scope)) if one]
    return [str(one).replace("{", "(").replace("}", ")") for one in found]


def given(scope: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values of a parameter, which a dot leads into: those of each element where it is a list."""
    values: list[Any] = [scope]
    for part in name.split("."):
        values = [inner for value in values if isinstance(value, Mapping) for inner in listed(value.get(part))]
    return [value for value in values if value not in (None, "")]
