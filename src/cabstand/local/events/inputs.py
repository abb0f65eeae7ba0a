"""What a target of a rule gets: the event, a part of it, a constant, or a text with values of the event filled in.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from cabstand.local.events.targets import TargetError

_PLACEHOLDER = re.compile(r"<([^<>]+)>")


def for_target(event: dict[str, Any], target: dict[str, Any], rule_arn: str) -> str:
    """Return the text that a target of a rule gets for an event."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_at(event, target["InputPath"]))
    if transformer := target.get("InputTransformer"):
        return _filled(event, transformer, rule_arn)
    return json.dumps({key: value for key, value in event.items() if key != "ingestion-time"})


def unknown(transformer: dict[str, Any]) -> list[str]:
    """Return the placeholders of a template that stand for nothing; PutTargets refuses them."""
    known = {*(transformer.get("InputPathsMap") or {}), *_predefined({}, "")}
    return [name for name in _PLACEHOLDER.findall(transformer["InputTemplate"]) if name not in known]


def _at(event: dict[str, Any], path: str, absent: Any = None) -> Any:
    """Return the value at a path such as `$.detail.containers[0].name`, or `absent`."""
    value: Any = event
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return absent
    return value


def _filled(event: dict[str, Any], transformer: dict[str, Any], rule_arn: str) -> str:
    """Fill in a template; a JSON object comes out without spaces, as from AWS.

    Raises
    ------
    TargetError
        A template of a JSON object is none any more, as with an array or a quote in a string: AWS escapes no values.
    """
    values = {name: _at(event, path, "") for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= _predefined(event, rule_arn)
    template: str = transformer["InputTemplate"]
    is_object = template.lstrip().startswith("{")

    def value(found: re.Match[str]) -> str:
        given = values[found[1]]
        # An odd number of quotes before it: it stands within a string.
        if len(re.findall(r'(?<!\\)"', template[: found.start()])) % 2 == 0:
            return json.dumps(given)
        text = given if isinstance(given, str) else json.dumps(given, separators=(",", ":"))
        return text if isinstance(given, str) or is_object else text.replace('"', "")

    text = _PLACEHOLDER.sub(value, template)
    if not is_object:
        return text
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except ValueError as error:
        raise TargetError("INVALID_JSON", f"the input transformer makes no JSON of this event: {error}") from None


def _predefined(event: dict[str, Any], rule_arn: str) -> dict[str, Any]:
    """Return AWS's own variables."""
    whole = {key: value for key, value in event.items() if key != "ingestion-time"}
    names = {"detail-type": "detailType"}
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event": {names.get(key, key): value for key, value in whole.items() if key != "detail"},
        "aws.events.event.json": whole,
        "aws.events.event.ingestion-time": event.get("ingestion-time"),
    }
