"""Write docs/openapi.json, the service's document without models, unless it breaks clients and its version hides it.

Requests may only widen (what was accepted still is), answers may only narrow (what was promised still holds), and new
fields of answers are no break. A higher major version allows everything.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cabstand.api.app import create_app
from cabstand.settings import Settings

Schema = dict[str, Any]
PAGE = Path(__file__).resolve().parents[1] / "docs/openapi.json"
METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def current() -> Schema:
    """Return the document of a service without models."""
    with tempfile.TemporaryDirectory() as home:
        return dict(create_app(Settings(home=Path(home))).openapi())


def text(document: Schema) -> str:
    """Return the document as it is committed."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def breaks(before: Schema, after: Schema) -> list[str]:
    """Return what breaks clients; nothing if the major version is raised."""
    if major(after) > major(before):
        return []
    return list(_paths(before, after))


def major(document: Schema) -> int:
    """Return the major version of the API."""
    return int(document["info"]["version"].split(".")[0])


def _paths(before: Schema, after: Schema) -> Iterator[str]:
    for path, item in before["paths"].items():
        for method in METHODS & item.keys():
            where = f"{method.upper()} {path}"
            operation = after["paths"].get(path, {}).get(method)
            if operation is None:
                yield f"{where}: removed"
                continue
            for problem in (
                *_parameters(Inside(before, after), item[method], operation),
                *_body(Inside(before, after), item[method], operation),
                *_responses(Inside(after, before), item[method], operation),
            ):
                yield f"{where}: {problem}"


def _parameters(inside: Inside, before: Schema, after: Schema) -> Iterator[str]:
    old, new = ({(one["in"], one["name"]): one for one in each.get("parameters", [])} for each in (before, after))
    for key in old.keys() | new.keys():
        where = "parameter {1} in {0}".format(*key)
        if key not in new:
            yield f"{where}: removed"
        elif new[key].get("required") and not old.get(key, {}).get("required"):
            yield f"{where}: now required"
        if key in old and key in new:
            yield from inside(old[key]["schema"], new[key]["schema"], where)


def _body(inside: Inside, before: Schema, after: Schema) -> Iterator[str]:
    old, new = before.get("requestBody", {}), after.get("requestBody", {})
    if new.get("required") and not old.get("required"):
        yield "request: a body is now required"
    for kind, content in old.get("content", {}).items():
        if kind not in new.get("content", {}):
            yield f"request: {kind} is no longer accepted"
        else:
            yield from inside(content["schema"], new["content"][kind]["schema"], "request")


def _responses(inside: Inside, before: Schema, after: Schema) -> Iterator[str]:
    for status, old in before["responses"].items():
        new = after["responses"].get(status)
        if new is None:
            yield f"response {status}: removed"
            continue
        for kind, content in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield f"response {status}: no longer {kind}"
            else:
                yield from inside(new["content"][kind]["schema"], content["schema"], f"response {status}", answer=True)


class Inside:
    """Say why not every value of one schema is a value of another, each with references into its own document."""

    def __init__(self, small: Schema, large: Schema) -> None:
        self.small, self.large = small, large
        self.met: set[tuple[str, str]] = set()

    def __call__(self, small: Schema, large: Schema, where: str, *, answer: bool = False) -> Iterator[str]:
        """Yield the reasons; of answers, `large` is what was promised, and further fields are welcome."""
        pair = small.get("$ref", ""), large.get("$ref", "")
        if any(pair):
            if pair in self.met:
                return
            self.met.add(pair)
            small, large = _resolved(self.small, small), _resolved(self.large, large)
        if _choices(small) != [small] or _choices(large) != [large]:
            for choice in _choices(small):
                if all(any(self._fresh()(choice, one, where, answer=answer)) for one in _choices(large)):
                    yield f"{where}: {_short(choice)} is not among {', '.join(map(_short, _choices(large)))}"
            return
        yield from (f"{where}: {reason}" for reason in _limits(small, large))
        yield from self._fields(small, large, where, answer=answer)
        if "items" in small and "items" in large:
            yield from self(small["items"], large["items"], f"{where}[]", answer=answer)

    def _fresh(self) -> Inside:
        fresh = Inside(self.small, self.large)
        fresh.met = set(self.met)
        return fresh

    def _fields(self, small: Schema, large: Schema, where: str, *, answer: bool) -> Iterator[str]:
        have, want = small.get("properties", {}), large.get("properties", {})
        old, new = (want, have) if answer else (have, want)
        yield from (f"{where}.{name}: removed" for name in old.keys() - new.keys())
        missing = set(large.get("required", [])) - set(small.get("required", []))
        said = "no longer certain" if answer else "now required"
        yield from (f"{where}.{name}: {said}" for name in missing if not answer or name in have)
        if not answer and large.get("additionalProperties") is False and small.get("additionalProperties") is not False:
            yield f"{where}: further fields are no longer accepted"
        for name in have.keys() & want.keys():
            yield from self(have[name], want[name], f"{where}.{name}", answer=answer)


def _resolved(document: Schema, schema: Schema) -> Schema:
    for _ in range(10):
        if "$ref" not in schema:
            break
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _choices(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf") or schema.get("oneOf") or [schema])


def _short(schema: Schema) -> str:
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("type") or schema.get("const") or "any value")


def _limits(small: Schema, large: Schema) -> Iterator[str]:
    types, allowed = _types(small), _types(large)
    if allowed and not (types and types <= allowed | ({"integer"} if "number" in allowed else set())):
        yield f"{' or '.join(sorted(types)) or 'any type'} where it has to be {' or '.join(sorted(allowed))}"
    values, listed = _values(small), _values(large)
    if listed is not None and (values is None or not all(value in listed for value in values)):
        yield f"{values or 'any value'} where only {listed} may be"
    for names, further in ((LOWEST, lambda one, other: one < other), (HIGHEST, lambda one, other: one > other)):
        for name in names:
            if name in large and (name not in small or further(small[name], large[name])):
                yield f"{name} {small.get(name, 'none')} where it has to be {large[name]}"
    for name in ("pattern", "format"):
        if name in large and small.get(name) != large[name] and values is None:
            yield f"{name} {small.get(name, 'none')} where it has to be {large[name]}"


def _types(schema: Schema) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _values(schema: Schema) -> list[Any] | None:
    found = [schema["const"]] if "const" in schema else schema.get("enum")
    return list(found) if found is not None else None


def main() -> None:
    """Write the document, or list what it would break."""
    after = current()
    found = breaks(json.loads(PAGE.read_text()), after) if PAGE.exists() else []
    if found:
        sys.exit("\n".join(["docs/openapi.json: breaks clients; undo it or raise the major version:", *found]))
    PAGE.write_text(text(after))


if __name__ == "__main__":
    main()
