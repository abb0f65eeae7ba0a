"""Evaluates Terraform expressions as far as the code alone tells; what only AWS knows stays a named reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from lark import Token, Tree

Scope = Callable[[str], Any]
NOISE = {"new_line_or_comment"}


class Ref(NamedTuple):
    """Something that only AWS or the caller of Terraform knows, by its address."""

    address: str

    def __str__(self) -> str:
        return f"{{{self.address}}}"


def text(value: Any) -> str:
    """Return a value as one line, with the addresses of what is not known."""
    if isinstance(value, str | Ref):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text, value)) + "]"
    return "null" if value is None else str(value).lower()


def parts(tree: Tree[Token]) -> list[Any]:
    """Return the children that mean something: no comments, no line ends."""
    return [one for one in tree.children if not (isinstance(one, Tree) and one.data in NOISE) and one is not None]


def trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [one for one in parts(tree) if isinstance(one, Tree)]


def name_of(tree: Tree[Token]) -> str:
    return str(tree.children[0])


def pairs(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what `for` iterates over; an unknown collection has one member that stands for all."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
    else:
        yield Ref(f"{unbraced(value)}[*].key"), Ref(f"{unbraced(value)}[*]")


def unbraced(value: Any) -> str:
    return value.address if isinstance(value, Ref) else text(value)


def member(value: Any, key: Any) -> Any:
    """Return an attribute or an element."""
    if isinstance(value, Mapping) and key in value:
        return value[key]
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    if isinstance(value, Mapping):
        return Ref(f"{getattr(value, 'address', '?')}.{text(key)}")
    return Ref(f"{unbraced(value)}[{text(key)}]")


def flat(value: Any) -> list[Any]:
    return list(chain.from_iterable(map(flat, value))) if isinstance(value, list) else [value]


def contains(values: Any, one: Any) -> bool:
    """Return whether it is a member; the fallback for unknown arguments names both."""
    if isinstance(one, Ref) or isinstance(values, Ref):
        raise TypeError(one)
    return one in values


def fill(form: str, *values: Any) -> str:
    """Return the text with each %s replaced."""
    for one in values:
        form = form.replace("%s", text(one), 1)
    return form


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat": lambda *lists: list(chain.from_iterable(one if isinstance(one, list) else [one] for one in lists)),
    "contains": contains,
    "file": lambda path: Path(path).read_text(encoding="utf-8"),
    "flatten": flat,
    "format": fill,
    "join": lambda by, values: by.join(map(text, values)),
    "keys": list,
    "merge": lambda *maps: {key: one for part in maps for key, one in part.items()},
    "setsubtract": lambda left, right: [one for one in left if one not in right],
    "split": lambda by, value: value.split(by),
    "toset": lambda values: {one: one for one in values},
    "trimsuffix": lambda value, end: value.removesuffix(end),
    "values": lambda value: list(value.values()),
    "yamldecode": yaml.safe_load,
}  # fmt: skip


class Evaluator:
    """Evaluates the expressions of one module; `scope` knows the names."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, tree: Any) -> Any:
        if isinstance(tree, Token):
            return str(tree)
        method = getattr(self, str(tree.data), None)
        return method(tree) if method else Ref(" ".join(str(token) for token in tree.scan_values(lambda _: True)))

    def within(self, names: Mapping[str, Any]) -> Evaluator:
        """Return an evaluator that knows these names, too."""
        return Evaluator(lambda name: names[name] if name in names else self.scope(name))

    def expr_term(self, tree: Tree[Token]) -> Any:
        return self(trees(tree)[0])

    def identifier(self, tree: Tree[Token]) -> Any:
        return self.scope(name_of(tree))

    def literal_value(self, tree: Tree[Token]) -> Any:
        return {"true": True, "false": False, "null": None}[name_of(tree)]

    def int_lit(self, tree: Tree[Token]) -> int:
        return int(name_of(tree))

    def string(self, tree: Tree[Token]) -> Any:
        values = [self(one.children[0]) for one in trees(tree)]
        if len(values) == 1 and not isinstance(values[0], str):
            return values[0]
        return "".join(map(text, values))

    def interpolation(self, tree: Tree[Token]) -> Any:
        return self(trees(tree)[0])

    def tuple(self, tree: Tree[Token]) -> list[Any]:
        return [self(one) for one in trees(tree)]

    def object(self, tree: Tree[Token]) -> dict[Any, Any]:
        found = {}
        for element in trees(tree):
            key, value = trees(element)
            found[self.key(key)] = self(value)
        return found

    def key(self, tree: Tree[Token]) -> Any:
        """Return an object's key; a bare name is a string."""
        inner = tree
        while isinstance(inner, Tree) and inner.data in {"object_elem_key", "expr_term", "identifier", "keyword"}:
            inner = inner.children[0]
        return str(inner) if isinstance(inner, Token) and inner.type != "LPAR" else self(trees(tree)[0])

    def conditional(self, tree: Tree[Token]) -> Any:
        """Return the branch; of an unknown condition, both branches."""
        condition, yes, no = map(self, trees(tree))
        if isinstance(condition, bool):
            return yes if condition else no
        if isinstance(yes, list) and isinstance(no, list):
            return yes + no
        if isinstance(yes, Mapping) and isinstance(no, Mapping):
            return {**yes, **no}
        return Ref(f"{text(condition)} ? {text(yes)} : {text(no)}")

    def unary_op(self, tree: Tree[Token]) -> Any:
        value = self(trees(tree)[0])
        return not value if isinstance(value, bool) else Ref(f"{tree.children[0]}{text(value)}")

    def binary_op(self, tree: Tree[Token]) -> Any:
        left, term = trees(tree)[:2]
        operator, right = trees(term)
        a, b, sign = self(left), self(right), name_of(operator)
        if isinstance(a, Ref) or isinstance(b, Ref) or sign not in {"==", "!="}:
            return Ref(f"{text(a)} {sign} {text(b)}")
        return (a == b) == (sign == "==")

    def get_attr_expr_term(self, tree: Tree[Token]) -> Any:
        value, attribute = trees(tree)
        known = self(value)
        name = name_of(trees(attribute)[0])
        if isinstance(known, Mapping):
            return member(known, name)
        return (
            [Ref(f"{unbraced(one)}.{name}") for one in known]
            if isinstance(known, list)
            else Ref(f"{unbraced(known)}.{name}")
        )

    def index_expr_term(self, tree: Tree[Token]) -> Any:
        value, index = trees(tree)
        return member(self(value), self(trees(index)[0]) if trees(index) else int(str(index.children[-1])))

    def full_splat_expr_term(self, tree: Tree[Token]) -> Any:
        value, splat = trees(tree)
        found = [one for _, one in pairs(self(value))]
        for step in trees(splat):
            found = [Ref(f"{unbraced(one)}.{name_of(trees(step)[0])}") for one in found]
        return found

    def function_call(self, tree: Tree[Token]) -> Any:
        name, *rest = trees(tree)
        arguments = [self(one) for call in rest for one in trees(call)]
        if rest and any(str(one) == "..." for one in rest[-1].children):
            arguments = [*arguments[:-1], *(one for _, one in pairs(arguments[-1]))]
        try:
            return FUNCTIONS[name_of(name)](*arguments)
        except (KeyError, TypeError, AttributeError, OSError):
            return Ref(f"{name_of(name)}({', '.join(map(text, arguments))})")

    def rounds(self, tree: Tree[Token]) -> Iterator[tuple[Evaluator, list[Tree[Token]]]]:
        """Yield an evaluator for each round of a `for`, and the expressions of its result."""
        intro, *rest = trees(tree)
        *names, collection = trees(intro)
        known = [name_of(name) for name in names]
        results = [one for one in rest if one.data != "for_cond"]
        conditions = [trees(one)[0] for one in rest if one.data == "for_cond"]
        for key, value in pairs(self(collection)):
            inner = self.within(dict(zip(known, (key, value) if len(known) == 2 else (value,), strict=True)))
            if all(inner(one) is not False for one in conditions):
                yield inner, results

    def for_tuple_expr(self, tree: Tree[Token]) -> list[Any]:
        return [inner(result[0]) for inner, result in self.rounds(tree)]

    def for_object_expr(self, tree: Tree[Token]) -> dict[Any, Any]:
        return {inner(key): inner(value) for inner, (key, value) in self.rounds(tree)}
