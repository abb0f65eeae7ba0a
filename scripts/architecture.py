"""Draw docs/architecture.svg: the layers of cabstand's packages, as pyproject.toml's import contracts have them."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/architecture.svg"
WIDTH, GAP, MARGIN = 960, 22, 24
STYLE = """
text { font-family: Arial, Helvetica, sans-serif; fill: #212529 }
.name { font-size: 15px; font-weight: bold } .says { font-size: 11px; fill: #495057 } .rule { font-size: 12px }
rect { fill: #f1f3f5; stroke: #868e96 } .pure { fill: #e7f5ff; stroke: #1c7ed6 } .paper { fill: #fff; stroke: none }
path { stroke: #868e96; fill: none; marker-end: url(#head) } marker path { fill: #868e96; marker-end: none }
"""
HEAD = (
    '<marker id="head" markerWidth="8" markerHeight="8" refX="4" refY="3" orient="auto">'
    '<path d="M0 0 L6 3 L0 6 z"/></marker>'
)


def contracts() -> list[dict[str, Any]]:
    """Return the contracts of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["tool"]["importlinter"]["contracts"])


def layers() -> list[list[str]]:
    """Return the names of packages, the highest layer first."""
    [found] = [one["layers"] for one in contracts() if one["type"] == "layers"]
    return [re.findall(r"cabstand\.(\w+)", layer) for layer in found]


def says(name: str) -> str:
    """Return the first line of a package's or module's docstring, as a sentence without its stop."""
    package = ROOT / "src/cabstand" / name / "__init__.py"
    file = package if package.exists() else package.parent.with_suffix(".py")
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return re.split(r"[.;]( |$)", said.splitlines()[0])[0] if said else ""


def layer(names: list[str], top: int, pure: set[str]) -> tuple[int, list[str]]:
    """Draw one layer; return its lower edge, too."""
    wide = (WIDTH - 2 * MARGIN - 12 * (len(names) - 1)) / len(names)
    texts = {name: textwrap.wrap(says(name), int(wide / 5.6)) for name in names}
    high = 30 + 14 * max(map(len, texts.values()))
    drawn = []
    for n, (name, text) in enumerate(texts.items()):
        left = MARGIN + n * (wide + 12)
        kind, middle = ' class="pure"' if name in pure else "", f"{left + wide / 2:.0f}"
        drawn.append(f'<rect{kind} x="{left:.0f}" y="{top}" width="{wide:.0f}" height="{high}" rx="6"/>')
        drawn.append(f'<text class="name" x="{middle}" y="{top + 19}" text-anchor="middle">{name}</text>')
        drawn += (
            f'<text class="says" x="{middle}" y="{top + 36 + 14 * line}" text-anchor="middle">{escape(said)}</text>'
            for line, said in enumerate(text)
        )
    return top + high, drawn


def draw() -> str:
    """Return the picture."""
    rows, others = layers(), [one for one in contracts() if one["type"] != "layers"]
    [pure] = [
        set(re.findall(r"cabstand\.(\w+)", " ".join(one["source_modules"]))) for one in others if "Pure" in one["name"]
    ]
    drawn, top = [], MARGIN
    for n, names in enumerate(rows):
        top, boxes = layer(names, top, pure)
        drawn += boxes
        if n < len(rows) - 1:
            drawn.append(f'<path d="M {WIDTH / 2:.0f} {top} v {GAP - 7}"/>')
            top += GAP
    rules = [
        "A layer may import all that are below it, and none above it. Blue packages are the pure ones.",
        *(f"{one['name']}." for one in others),
    ]
    for rule in rules:
        top += 20
        drawn.append(f'<text class="rule" x="{MARGIN}" y="{top}">{escape(rule)}</text>')
    height = top + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            "<title>Layers of cabstand's packages</title>",
            f"<defs><style>{STYLE}</style>{HEAD}</defs>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *drawn,
            "</svg>\n",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
