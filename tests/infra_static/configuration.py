"""Terraform's modules as they are connected: blocks, names, and the evaluator of each module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import hcl2
from lark import Token, Tree

from infra_static.evaluation import Evaluator, Ref, name_of, pairs, trees

Body = Tree[Token]


class Block(NamedTuple):
    """One block: `resource "type" "name" { ... }`."""

    kind: str
    labels: tuple[str, ...]
    body: Body
    file: Path

    @property
    def address(self) -> str:
        return ".".join(self.labels if self.kind == "resource" else (self.kind, *self.labels))


class Lazy(Mapping[str, Any]):
    """Names whose values are worked out when they are asked for."""

    def __init__(self, address: str, names: Iterable[str], value: Callable[[str], Any]) -> None:
        self.address, self.names, self.value = address, list(names), value
        self.known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.known:
            self.known[name] = self.value(name)
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@cache
def parsed(code: str) -> Body:
    return hcl2.parses_to_tree(code).children[0]


def attributes(body: Body) -> dict[str, Body]:
    """Return the arguments of a block."""
    return {name_of(trees(one)[0]): trees(one)[-1] for one in trees(body) if one.data == "attribute"}


def blocks(body: Body, file: Path) -> Iterator[Block]:
    """Yield the blocks inside a body."""
    for one in trees(body):
        if one.data == "block":
            kind, *labels, inner = trees(one)
            words = ["".join(str(part) for part in label.scan_values(lambda token: token != '"')) for label in labels]
            yield Block(name_of(kind), tuple(words), inner, file)


def nested(body: Body, name: str, evaluate: Evaluator) -> Iterator[tuple[Body, Evaluator, bool]]:
    """Yield the blocks of a name inside a body, dynamic ones too, and whether each is there for certain."""
    for one in blocks(body, Path()):
        if one.kind == name:
            yield one.body, evaluate, True
        elif one.kind == "dynamic" and one.labels == (name,):
            content = next(inner.body for inner in blocks(one.body, Path()) if inner.kind == "content")
            each = attributes(one.body)["for_each"]
            certain = each.data != "conditional" or isinstance(evaluate(trees(each)[0]), bool)
            for key, value in pairs(evaluate(each)):
                yield content, evaluate.within({name: {"key": key, "value": value}}), certain


class Module:
    """The code in one folder."""

    def __init__(self, folder: Path, name: str, caller: Module | None = None) -> None:
        self.folder, self.name, self.caller = folder, name, caller
        self.blocks = [
            block for file in sorted(folder.glob("*.tf")) for block in blocks(parsed(file.read_text()), file)
        ]
        self.known: dict[str, Any] = {}
        self.evaluate = Evaluator(self.lookup)

    def of_kind(self, kind: str, *labels: str) -> list[Block]:
        return [one for one in self.blocks if one.kind == kind and one.labels[: len(labels)] == labels]

    def full(self, address: str) -> str:
        return f"{self.name}.{address}" if self.name else address

    @cached_property
    def locals(self) -> dict[str, Body]:
        return {name: tree for one in self.of_kind("locals") for name, tree in attributes(one.body).items()}

    @cached_property
    def variables(self) -> dict[str, Block]:
        return {one.labels[0]: one for one in self.of_kind("variable")}

    @cached_property
    def call(self) -> dict[str, Body]:
        """The arguments that the caller gives to this module."""
        if self.caller is None:
            return {}
        return attributes(self.caller.of_kind("module", self.name)[0].body)

    @cached_property
    def children(self) -> dict[str, Module]:
        """The modules that this one calls."""
        calls = {one.labels[0]: self.evaluate(attributes(one.body)["source"]) for one in self.of_kind("module")}
        return {name: Module(self.folder / source, name, self) for name, source in calls.items()}

    def variable(self, name: str) -> Any:
        given = attributes(self.variables[name].body)
        if "sensitive" in given:
            return Ref(f"sensitive.var.{name}")
        if name in self.call and self.caller:
            return self.caller.evaluate(self.call[name])
        return self.evaluate(given["default"]) if self.caller and "default" in given else Ref(f"var.{name}")

    def output(self, name: str) -> Any:
        return self.evaluate(attributes(self.of_kind("output", name)[0].body)["value"])

    def instances(self, block: Block) -> list[tuple[str, Evaluator]]:
        """Return each instance of a resource: its address and an evaluator that knows its `each`."""
        address = self.full(block.address)
        each = attributes(block.body).get("for_each")
        if each is None:
            return [(address, self.evaluate)]
        found = self.evaluate(each)
        known = pairs(found) if isinstance(found, Mapping) else [(Ref("each.key"), Ref("each.value"))]
        return [(f"{address}[{key}]", self.evaluate.within({"each": {"key": key, "value": one}})) for key, one in known]

    def resource(self, block: Block) -> Any:
        each = attributes(block.body).get("for_each")
        found = self.evaluate(each) if each is not None else None
        address = self.full(block.address)
        return {key: Ref(f"{address}[{key}]") for key in found} if isinstance(found, Mapping) else Ref(address)

    def lookup(self, name: str) -> Any:
        """Return what a name at the start of an expression stands for."""
        if name not in self.known:
            self.known[name] = self.found(name)
        return self.known[name]

    def found(self, name: str) -> Any:
        if name == "path":
            return {"module": str(self.folder)}
        if name == "local":
            return Lazy("local", self.locals, lambda one: self.evaluate(self.locals[one]))
        if name == "var":
            return Lazy("var", self.variables, self.variable)
        if name == "module":
            return Lazy("module", self.children, lambda one: self.children[one].outputs())
        if name in {"data", "ephemeral"}:
            return Lazy(name, {one.labels[0] for one in self.of_kind(name)}, lambda kind: self.named(name, kind))
        resources = self.named("resource", name)
        return resources if resources else Ref(name)

    def named(self, kind: str, label: str) -> Lazy:
        found = {one.labels[1]: one for one in self.of_kind(kind, label)}
        return Lazy(label, found, lambda name: self.resource(found[name]))

    def outputs(self) -> Lazy:
        return Lazy(f"module.{self.name}", [one.labels[0] for one in self.of_kind("output")], self.output)


def modules(infra: Path) -> list[Module]:
    """Return the modules of the account's two roots."""
    found = [Module(infra, ""), Module(infra / "bootstrap", "bootstrap")]
    for module in found:
        found.extend(module.children.values())
    return found
