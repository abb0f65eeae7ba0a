"""Predict one row, or a CSV of rows, by a running service."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cabstand.errors import ConfigError, DataError, TaskError
from cabstand.settings import Settings

BATCH = 1_000
TIMEOUT_S = 30.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Params:
    """What to predict, and by which service; either `row`, one row as text, or `file`."""

    url: str
    key: str = ""
    problem: str = "trip-duration"
    row: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Return the answers in the order of the rows, null where a row was wrong, and what was wrong with it."""
    import httpx2

    if bool(params.row) == (params.file is not None):
        raise ConfigError("give either fields, as name=value, or --file", where="cabstand predict")
    key = key_of(settings, params.key)
    address = params.url.rstrip("/")
    with httpx2.Client(headers={"x-api-key": key} if key else {}, timeout=TIMEOUT_S) as client:
        models = _ask(client, "GET", f"{address}/v1/models")
        with _expected(address):
            kinds = _kinds(models, params.problem)
        rows = [dict(params.row)] if params.row else list(_read(params.file))
        if not rows:
            raise DataError(
                "no rows", where=params.file, hint="expected a header with field names, then one row per line"
            )
        typed = [_typed(row, kinds) for row in rows]
        ask = _single if params.row else _batches
        return ask(client, f"{address}/v1/{params.problem}/predict", typed)


def key_of(settings: Settings, given: str = "") -> str:
    """Return the API key that is given, or the setting's; ConfigError if it cannot be one."""
    key = given or settings.api_key.get_secret_value()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("not an API key", where="--key, or CABSTAND_API_KEY", hint="`cabstand keys create` makes one")
    return key


def _single(client: Any, url: str, rows: list[Row]) -> dict[str, Any]:
    """Ask for one row as such: an error speaks of its fields, not of a batch."""
    found = _ask(client, "POST", url, rows[0])
    with _expected(url):
        return _result([found["answer"]], [], {found["version"]}, bool(found.get("synthetic")))


def _batches(client: Any, url: str, rows: list[Row]) -> dict[str, Any]:
    answers: list[Any] = []
    errors: list[Any] = []
    versions: set[str] = set()
    synthetic = False
    for first in range(0, len(rows), BATCH):
        batch = _ask(client, "POST", f"{url}/batch", {"rows": rows[first : first + BATCH]})
        with _expected(url):
            answers += batch["answers"]
            errors += [one | {"row": one["row"] + first} for one in batch["errors"]]
            versions.add(batch["version"])
            synthetic |= bool(batch.get("synthetic"))
    return _result(answers, errors, versions, synthetic)


def _result(answers: list[Any], errors: list[Any], versions: set[str], synthetic: bool) -> dict[str, Any]:
    return {
        "n_rows": len(answers),
        "n_wrong": answers.count(None),
        "versions": sorted(versions),
        "synthetic": synthetic,
        "answers": answers,
        "errors": errors,
    }


def _ask(client: Any, method: str, url: str, content: Any = None) -> Any:
    import httpx2

    try:
        answer = client.request(method, url, json=content)
        found = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise TaskError(
            f"no answer: {error}", where=url, hint="is `cabstand serve` running there? --url names another address"
        ) from error
    except ValueError as error:
        raise TaskError("the answer is not JSON", where=url, hint="is it the service's address?") from error
    if not isinstance(found, dict):
        raise TaskError("the response is not from a cabstand service", where=url, hint="is it the service's address?")
    if answer.status_code in {401, 403}:
        raise ConfigError(found.get("detail", "refused"), where=url, hint="--key, or CABSTAND_API_KEY")
    if answer.is_error:
        listed = "; ".join(f"{one.get('pointer')}: {one.get('detail')}" for one in found.get("errors", [])[:3])
        kind = DataError if answer.status_code < 500 else TaskError
        raise kind(f"{answer.status_code} {found.get('detail', 'refused')} {listed}".strip(), where=url)
    return found


@contextmanager
def _expected(where: str) -> Iterator[None]:
    """Raise a one-line error if the answer is another server's."""
    try:
        yield
    except (KeyError, TypeError) as error:
        raise TaskError(
            "the response is not from a cabstand service", where=where, hint="is it the service's address?"
        ) from error


def _kinds(models: Any, problem: str) -> dict[str, str]:
    known = {one["problem"]: one["champion"]["fields"] for one in models["models"]}
    if problem not in known:
        raise ConfigError(
            f"the service has no problem {problem!r}", hint=f"known: {', '.join(sorted(known)) or 'none'}"
        )
    return {one["name"]: one["kind"] for one in known[problem]}


def _read(path: Path | None) -> Iterator[Row]:
    assert path is not None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file, restkey="")
            for row in lines:
                if "" in row:
                    raise DataError("more values than columns in the header", where=f"{path}:{lines.line_num}")
                yield row
    except FileNotFoundError as error:
        raise DataError("no such file", where=path, hint="--file names a CSV whose header names the fields") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a readable CSV: {error}", where=path) from error


def _typed(row: Mapping[str, str], kinds: Mapping[str, str]) -> Row:
    """Return a row of text with finite numbers as numbers; anything else stays text, so that the service reports it."""
    return {name: _value(text, kinds.get(name, "")) for name, text in row.items() if text not in {None, ""}}


def _value(text: str, kind: str) -> Any:
    if kind not in {"number", "integer"}:
        return text
    try:
        found = float(text) if kind == "number" else int(text)
    except ValueError:
        return text
    return found if math.isfinite(found) else text
