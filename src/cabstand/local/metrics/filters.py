"""CloudWatch Logs' filter patterns, and the metrics that a metric filter makes of log lines.

Terms and JSON patterns are read; patterns in square brackets, for columns separated by spaces, are refused. See
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html.
"""

from __future__ import annotations

import json
import operator
import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pyparsing as pp

from cabstand.errors import ConfigError

Matcher = Callable[[str], bool]
Test = Callable[[Any], bool]
ABSENT = object()
PARSING = (
    threading.Lock()
)  # pyparsing 3.3 finds out how many arguments an action takes at its first calls, not thread-safe
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@cache
def matcher(pattern: str) -> Matcher:
    """Return whether a line matches a pattern, as a function of the line; an empty pattern matches every line.

    Raises
    ------
    ConfigError
        If CloudWatch Logs would refuse the pattern, or if it is one for columns.
    """
    text = pattern.strip()
    if text.startswith("["):
        raise ConfigError("patterns for columns are not supported", where=f"filter pattern {text}")
    return _json_matcher(text) if text.startswith("{") else _terms_matcher(text)


def _terms_matcher(text: str) -> Matcher:
    """Match lines with every plain term, any of those with `?`, and none of those with `-`; case counts."""
    try:
        terms = shlex.split(text)
    except ValueError:
        raise ConfigError("has a quote that is not closed", where=f"filter pattern {text}") from None
    needed = [term for term in terms if not term.startswith(("?", "-"))]
    any_of = [term[1:] for term in terms if term.startswith("?")]
    excluded = [term[1:] for term in terms if term.startswith("-")]

    def matches(line: str) -> bool:
        return (
            all(term in line for term in needed)
            and (not any_of or any(term in line for term in any_of))
            and not any(term in line for term in excluded)
        )

    return matches


def _json_matcher(text: str) -> Matcher:
    try:
        with PARSING:
            test: Test = grammar().parse_string(text, parse_all=True)[0]
    except pp.ParseException as error:
        raise ConfigError(f"is not understood from character {error.loc + 1}", where=f"filter pattern {text}") from None

    def matches(line: str) -> bool:
        document = parsed(line)
        return document is not None and test(document)

    return matches


def parsed(line: str) -> dict[str, Any] | None:
    """Return a log line's JSON object, or None if it is none."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


SELECTOR = pp.Regex(r"\$(\.[\w-]+|\[\d+\]|\[\"[^\"]+\"\])+")
SELECTOR_PARTS = re.compile(r'\.([\w-]+)|\[(\d+)\]|\["([^"]+)"\]')


@cache
def grammar() -> pp.ParserElement:
    """Return the grammar of JSON patterns; its result is the test of a document."""
    value = pp.QuotedString('"', esc_char="\\").set_parse_action(lambda found: ("quoted", found[0]))
    value |= pp.Regex(r"[^\s()&|\"{}]+").set_parse_action(lambda found: ("plain", found[0]))
    compared = SELECTOR + pp.one_of("<= >= != = < >") + value
    compared.set_parse_action(lambda found: _compare(found[0], found[1], *found[2]))
    state = SELECTOR + pp.Keyword("IS") + pp.one_of("TRUE FALSE NULL", as_keyword=True)
    state.set_parse_action(lambda found: _is(found[0], {"TRUE": True, "FALSE": False, "NULL": None}[found[2]]))
    absent = SELECTOR + pp.Keyword("NOT") + pp.Keyword("EXISTS")
    absent.set_parse_action(lambda found: _is(found[0], ABSENT))
    condition: pp.ParserElement = pp.infix_notation(
        compared | state | absent,
        [("&&", 2, pp.OpAssoc.LEFT, _joined(all)), ("||", 2, pp.OpAssoc.LEFT, _joined(any))],
    )
    return pp.Suppress("{") + condition + pp.Suppress("}")


def _joined(how: Callable[[Iterator[bool]], bool]) -> Callable[[pp.ParseResults], Test]:
    def join(found: pp.ParseResults) -> Test:
        tests = found[0][::2]
        return lambda document: how(test(document) for test in tests)

    return join


def _is(selector: str, wanted: Any) -> Test:
    return lambda document: select(document, selector) is wanted


def _compare(selector: str, sign: str, kind: str, wanted: str) -> Test:
    """Return the test of one comparison: numbers as numbers, text with `*` as a wildcard."""
    number = _number(wanted) if kind == "plain" else None

    def test(document: Any) -> bool:
        found = select(document, selector)
        if found is ABSENT or isinstance(found, dict | list):
            return found is not ABSENT and wanted == "*" and sign == "="
        given = _number(found)
        if sign in COMPARISONS:
            return given is not None and number is not None and COMPARISONS[sign](given, number)
        equal = given == number if None not in {given, number} else _like(found, wanted)
        return equal == (sign == "=")

    return test


def _like(found: Any, wanted: str) -> bool:
    text = found if isinstance(found, str) else json.dumps(found)
    return fnmatchcase(text, wanted.replace("[", "[[]").replace("?", "[?]"))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def select(document: Any, selector: str) -> Any:
    """Return what a selector such as `$.task.sizes[0]` names, or `ABSENT`."""
    for name, index, quoted in SELECTOR_PARTS.findall(selector):
        try:
            document = document[int(index)] if index else document[name or quoted]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return document


def datums(metric_filter: Mapping[str, Any], line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield namespace and datum of each metric that a filter makes of a line; a value that is no number makes none."""
    if not matcher(metric_filter.get("filterPattern") or "")(line):
        return
    document = parsed(line) or {}
    for how in metric_filter["metricTransformations"]:
        value = how["metricValue"]
        number = _number(select(document, value) if value.startswith("$") else value)
        dimensions = {name: select(document, key) for name, key in (how.get("dimensions") or {}).items()}
        if number is None or ABSENT in dimensions.values():
            continue
        yield (
            how["metricNamespace"],
            {
                "MetricName": how["metricName"],
                "Value": number,
                "Unit": how.get("unit") or "None",
                "Dimensions": [{"Name": name, "Value": str(one)} for name, one in dimensions.items()],
            },
        )
