"""What a target of a rule gets: the event, a part of it, a constant, or a text with values of the event filled in.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any


def for_target(event: dict[str, Any], target: dict[str, Any], rule_arn: str) -> str:
    """Return the text that a target of a rule gets for an event."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_at(event, target["InputPath"]))
    if transformer := target.get("InputTransformer"):
        return _filled(event, transformer, rule_arn)
    return json.dumps({key: value for key, value in event.items() if key != "ingestion-time"})


def _at(event: dict[str, Any], path: str) -> Any:
    """Return the value at a path such as `$.detail.containers[0].name`, or None."""
    value: Any = event
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _filled(event: dict[str, Any], transformer: dict[str, Any], rule_arn: str) -> str:
    """Fill in a template: between quotes the text alone, elsewhere JSON."""
    whole = {key: value for key, value in event.items() if key != "ingestion-time"}
    values = {name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()} | {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event": whole,
        "aws.events.event.json": whole,
        "aws.events.event.ingestion-time": event.get("ingestion-time"),
    }
    template: str = transformer["InputTemplate"]

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        text = json.dumps(values[found[1]])
        # An odd number of quotes before it: it stands within a string.
        quoted = len(re.findall(r'(?<!\\)"', template[: found.start()])) % 2 == 1
        if not quoted:
            return text
        return text[1:-1] if text.startswith('"') else json.dumps(text)[1:-1]

    return re.sub(r"<([\w.-]+)>", value, template)
