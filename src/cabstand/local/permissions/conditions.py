"""The condition operators of IAM policies."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

from cabstand.errors import DataError
from cabstand.local.permissions.patterns import Context, literal, matches, matches_arn, substitute

Test = Callable[[str, str], bool]  # of a policy's value and a request's


def _date(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ordered(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Test:
    def test(wanted: str, given: str) -> bool:
        try:
            return compare(read(given), read(wanted))
        except ValueError:
            return False

    return test


def _in_network(wanted: str, given: str) -> bool:
    try:
        return ip_address(given) in ip_network(wanted, strict=False)
    except ValueError:
        return False


_TESTS: dict[str, Test] = {
    "StringEquals": lambda wanted, given: literal(wanted) == given,
    "StringEqualsIgnoreCase": lambda wanted, given: literal(wanted).lower() == given.lower(),
    "StringLike": matches,
    "ArnEquals": matches_arn,  # AWS: the same as ArnLike
    "ArnLike": matches_arn,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "BinaryEquals": operator.eq,
    "IpAddress": _in_network,
}
_COMPARISONS = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_TESTS |= {f"Numeric{name}": _ordered(float, compare) for name, compare in _COMPARISONS.items()}
_TESTS |= {f"Date{name}": _ordered(_date, compare) for name, compare in _COMPARISONS.items()}
# Negated operator => the one that it negates.
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Context, *, has_variables: bool) -> bool:
    """Return whether every condition of a statement holds for a request.

    Raises
    ------
    DataError
        If an operator is none that AWS documents.
    """
    return all(
        _holds(name, context.get(key.lower(), []), _wanted(values, context, has_variables))
        for name, keys in conditions.items()
        for key, values in keys.items()
    )


def _wanted(values: Any, context: Context, has_variables: bool) -> list[str]:
    """Return a condition's values as text, those with an unknown variable left out."""
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in listed(values)]
    if not has_variables:
        return texts
    return [one for one in (substitute(text, context) for text in texts) if one is not None]


def _holds(name: str, given: list[str], wanted: list[str]) -> bool:
    quantifier, _, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    if base == "Null":
        return (not given) == (wanted[0] == "true")
    negated = base in _NEGATED
    test = _TESTS.get(_NEGATED.get(base, base))
    if test is None or quantifier not in {"", "ForAnyValue", "ForAllValues"}:
        raise DataError(f"unknown condition operator {name}", hint="see AWS's list of condition operators")
    if not given:
        # An absent key: nothing to compare, so a negation holds, and so does a demand on all of its values.
        return rest != base or quantifier == "ForAllValues" or (negated and not quantifier)
    each = [any(test(one, value) for one in wanted) != negated for value in given]
    return all(each) if quantifier == "ForAllValues" or (negated and not quantifier) else any(each)


def listed(value: Any) -> list[Any]:
    """Return a list, of one element if the value is not a list."""
    return value if isinstance(value, list) else [value]
