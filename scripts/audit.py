"""Look up every package of every lock among the known vulnerabilities of https://osv.dev: `audit.py [LOCK...]`.

The locks are requirements/*.txt and the package-lock.json files of scripts/. A package counts whatever platform or
Python its lock wants it for. The run fails on a vulnerability, on a package about which the service says nothing, and
without an answer. requirements/accepted.toml lists vulnerabilities that are accepted, each until a date, with the
reason. OSV_URL names another service.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = ROOT / "requirements/accepted.toml"
SERVICE = os.environ.get("OSV_URL", "https://api.osv.dev").rstrip("/")
BATCH = 1000  # the most that one request may ask about
PATIENCE_S = 60


class Package(NamedTuple):
    """One version of a package, as the service names it."""

    ecosystem: str
    name: str
    version: str

    @property
    def query(self) -> dict[str, Any]:
        """What the service is asked."""
        return {"package": {"ecosystem": self.ecosystem, "name": self.name}, "version": self.version}


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Exit with one line if the block cannot read what it expects."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"audit: {what} cannot be read, so nothing is known: {type(error).__name__}: {error}")


def packages(lock: Path) -> set[Package]:
    """Return what a lock pins; exit if it holds something that cannot be looked up."""
    with readable(str(lock)):
        text = lock.read_text(encoding="utf-8")
        if lock.suffix == ".json":
            entries = [(path, one["version"]) for path, one in json.loads(text)["packages"].items() if path]
            return {Package("npm", path.rpartition("node_modules/")[2], str(version)) for path, version in entries}
    found = set()
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pinned = re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)", line)
        if not pinned:
            sys.exit(f"audit: {lock.name}: skips `{line.split('--hash')[0].strip()}`: no version of a package")
        found.add(Package("PyPI", re.sub(r"[-_.]+", "-", pinned[1]).lower(), pinned[2]))
    return found


def vulnerabilities(wanted: list[Package]) -> dict[str, list[Package]]:
    """Return the packages by the id of what is known against them; exit if the service leaves one out."""
    found: dict[str, list[Package]] = {}
    asked: list[tuple[Package, dict[str, Any]]] = [(package, package.query) for package in wanted]
    while asked:
        now, asked = asked[:BATCH], asked[BATCH:]
        results = request("/v1/querybatch", {"queries": [query for _, query in now]}).get("results")
        told = [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []
        if len(told) != len(now):
            sys.exit(f"audit: {SERVICE} answered about {len(told)} of {len(now)} packages: none may be skipped")
        with readable(f"the answer of {SERVICE}"):
            for (package, query), result in zip(now, told, strict=True):
                for one in result.get("vulns", []):
                    found.setdefault(str(one["id"]), []).append(package)
                if token := result.get("next_page_token"):
                    asked.append((package, query | {"page_token": token}))
    return found


def request(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the service's answer; exit with one line if there is none."""
    data = None if body is None else json.dumps(body).encode()
    ask = urllib.request.Request(SERVICE + path, data, {"Content-Type": "application/json"})  # noqa: S310
    for pause_s in (1, 2, 0):
        try:
            with urllib.request.urlopen(ask, timeout=PATIENCE_S) as answer:  # noqa: S310
                return dict(json.load(answer))
        except (OSError, ValueError, TypeError) as error:
            busy = isinstance(error, urllib.error.HTTPError) and error.code >= 500
            if not (busy and pause_s):
                sys.exit(f"audit: {SERVICE}{path} gave no answer, so nothing is known: {error}")
        time.sleep(pause_s)
    raise AssertionError


def accepted(today: datetime.date) -> set[str]:
    """Return the ids that are accepted today."""
    if not ACCEPTED.exists():
        return set()
    with readable(str(ACCEPTED)):
        listed = tomllib.loads(ACCEPTED.read_text(encoding="utf-8"))
        return {name for name, one in listed.items() if one["why"] and one["until"] >= today}


def main(names: list[str]) -> int:
    """Audit the locks, print what is wrong, and return the exit code."""
    locks = [Path(name) for name in names] or [
        *sorted((ROOT / "requirements").glob("*.txt")),
        *sorted((ROOT / "scripts").glob("*/package-lock.json")),
    ]
    wanted = sorted(set().union(*(packages(lock) for lock in locks)))
    if not wanted:
        sys.exit(f"audit: no package in {', '.join(map(str, locks))}")
    allowed, n_open = accepted(datetime.datetime.now(datetime.UTC).date()), 0
    for name, affected in sorted(vulnerabilities(wanted).items()):
        known = request(f"/v1/vulns/{name}")
        if known.get("withdrawn"):
            continue
        told = allowed & {name, *known.get("aliases", [])}
        n_open += not told
        pins = ", ".join(f"{one.name} {one.version}" for one in affected)
        print(f"{'accepted' if told else 'VULNERABLE'}: {pins}: {name}: {known.get('summary', '')}")  # noqa: T201
    print(f"audit: {len(wanted)} packages of {len(locks)} locks, {n_open} known vulnerabilities")  # noqa: T201
    return int(n_open > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
