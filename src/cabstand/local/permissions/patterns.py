"""Wildcards, ARNs and policy variables: how the strings of a policy match those of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# Values by condition key, in lower case: keys are compared without regard to case, values with it.
Context = Mapping[str, list[str]]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}
# Characters of the private use area stand for wildcards that are meant literally, until the pattern is compiled.
_ESCAPED = {"*": "\ue000", "?": "\ue001", "$": "$"}
_UNESCAPED = str.maketrans({"\ue000": "*", "\ue001": "?"})


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one.translate(_UNESCAPED)) for one in pattern)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Return whether a text matches a pattern in which `*` is any text and `?` any character."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def matches_arn(pattern: str, arn: str) -> bool:
    """Return whether an ARN matches a pattern, part by part: no wildcard reaches over its first five colons."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(given) and all(map(matches, wanted, given))


def literal(text: str) -> str:
    """Return a pattern's text where no wildcard is left: what a comparison for equality compares."""
    return text.translate(_UNESCAPED)


def substitute(text: str, context: Context) -> str | None:
    """Return a text with its policy variables replaced; None if a variable has neither a value nor a default.

    The value of a variable is never a wildcard, whatever it holds.
    """
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, comma, default = found[1].partition(",")
        if name in _LITERALS:
            return _ESCAPED[name]
        values = context.get(name.strip().lower(), [])
        if len(values) != 1 and not comma:
            missing = True
        replacement = values[0] if len(values) == 1 else default.strip().strip("'")
        return replacement.replace("*", _ESCAPED["*"]).replace("?", _ESCAPED["?"])

    replaced = _VARIABLE.sub(value, text)
    return None if missing else replaced
