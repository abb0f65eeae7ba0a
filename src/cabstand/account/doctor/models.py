"""The models: whole bundles behind each pointer, and a service that has taken up what the pointer names."""

from __future__ import annotations

from collections.abc import Iterator

from cabstand.account.doctor import web
from cabstand.account.doctor.line import Line
from cabstand.account.doctor.subject import Subject
from cabstand.errors import DataError
from cabstand.io import bundles, pointer
from cabstand.modelling.pointer import Pointer


def published(subject: Subject) -> Iterator[Line]:
    """Check every file of the bundles that pointers name by its hash, and ask the service which versions it serves."""
    artifacts = subject.variable("CABSTAND_ARTIFACTS")
    pointers = {name: pointer.read(artifacts, name)[0] for name in bundles.problems(artifacts)}
    named = {name: found for name, found in pointers.items() if found}
    if not named:
        hint = "the schedule monthly-pipeline, or the task pipeline, publishes the first one"
        yield Line("models", "warn", "none has been promoted yet", hint)
        return
    for found in named.values():
        yield from _bundles(artifacts, found)
    yield from _served(subject, named)


def _bundles(artifacts: str, found: Pointer) -> Iterator[Line]:
    for version in filter(None, (found.champion, found.challenger)):
        label, back = f"bundle of {found.problem}", f"cabstand rollback --problem {found.problem}, or train again"
        try:
            manifest = bundles.read_whole(artifacts, found.problem, version)
        except DataError as error:
            yield Line(label, "fail", f"{version}: {error.what}", back)
            continue
        if manifest is None:
            yield Line(label, "fail", f"the pointer names {version}, which does not exist", back)
        else:
            yield Line(label, "ok", f"{version}: {len(manifest.files)} files with the manifest's hashes")


def _served(subject: Subject, named: dict[str, Pointer]) -> Iterator[Line]:
    answer = web.get(f"{subject.address}/readyz")
    ready = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
    versions, faults = ready.get("versions", {}), ready.get("faults", {})
    for name, found in named.items():
        label, served = f"served {name}", versions.get(name)
        if served == found.champion:
            yield Line(label, "ok", f"{served}, as the pointer says")
        else:
            what = f"{served or 'nothing'} is served; the pointer names {found.champion}"
            why = faults.get(name) if isinstance(faults, dict) else ""
            hint = "the service looks once a minute: ask again; then see the function's log"
            yield Line(label, "fail", f"{what}{f': {why}' if why else ''}", hint)


CHECKS = {"models": published}
