"""CloudWatch's metric math, over series of one value for each period.

Arithmetic, comparisons, AVG, FILL, IF, MAX, METRICS, MIN and SUM are known; other functions are refused. See
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from cabstand.errors import ConfigError

Series = Mapping[datetime, float]
Value = Any  # a number, a series, or all series
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SUMMARIES: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}


def evaluate(formula: str, series: Mapping[str, Series], periods: Iterable[datetime] = ()) -> Series:
    """Return the series that a formula makes of others, by their ids; where a value is missing, so is the result.

    FILL fills the `periods` of the query, too, unless its series has no value at all.

    Raises
    ------
    ConfigError
        If the formula is not understood, or names a series that is not given.
    """
    try:
        tree = ast.parse(formula, mode="eval").body
        found = _value(tree, series, {*periods, *(time for one in series.values() for time in one)})
    except (SyntaxError, LookupError, TypeError, ValueError):
        raise ConfigError("is not understood", where=f"formula {formula}") from None
    if isinstance(found, Mapping):
        return found
    times = sorted({time for one in series.values() for time in one})
    return dict.fromkeys(times, float(found))


def _value(node: ast.expr, series: Mapping[str, Series], times: Set[datetime]) -> Value:
    def value(inner: ast.expr) -> Value:
        return _value(inner, series, times)

    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return series[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _elementwise(operator.sub, 0.0, value(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return _elementwise(OPERATORS[type(sign)], value(left), value(right))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return _elementwise(OPERATORS[type(sign)], value(left), value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, [value(one) for one in arguments], series, times)
    raise ValueError


def _call(name: str, arguments: list[Value], series: Mapping[str, Series], times: Set[datetime]) -> Value:
    match name, arguments:
        case "METRICS", []:
            return list(series.values())
        case (("AVG" | "MAX" | "MIN" | "SUM"), [list() as several]):
            known = sorted({time for one in several for time in one})
            return {time: SUMMARIES[name]([one[time] for one in several if time in one]) for time in known}
        case (("AVG" | "MAX" | "MIN" | "SUM"), [Mapping() as one]):
            return SUMMARIES[name](list(one.values()))
        case "FILL", [Mapping() as one, number]:
            return {time: one.get(time, number) for time in sorted(times)} if one else {}
        case "IF", [condition, then, otherwise]:
            chosen = _elementwise(lambda yes, value: value if yes else float("nan"), condition, then)
            other = _elementwise(lambda yes, value: float("nan") if yes else value, condition, otherwise)
            return _elementwise(lambda one, two: two if one != one else one, chosen, other)  # noqa: PLR0124
    raise ValueError


def _elementwise(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply a function at each time that both have; a division by zero leaves a gap."""
    if not isinstance(left, Mapping) and not isinstance(right, Mapping):
        return float(function(left, right))
    times = [set(one) for one in (left, right) if isinstance(one, Mapping)]
    found: dict[datetime, float] = {}
    for time in sorted(set.intersection(*times)):
        given = [one[time] if isinstance(one, Mapping) else one for one in (left, right)]
        try:
            found[time] = float(function(*given))
        except ZeroDivisionError:
            continue
    return found
