"""Publish a result once: return the one that exists, or compute it in a tracked run and publish its folder whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cabstand.io import provenance, publish, storage, tracking
from cabstand.io.tracking import Run, Source
from cabstand.settings import Settings

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of result."""

    job: str  # head of its run keys, and name of its MLflow runs
    name: str  # `kind` in its manifest
    folder: str  # in the lake
    schema_version: int = 1  # written, and the newest that is read
    manifest: str = publish.MANIFEST  # a folder without one is not whole
    artifacts: tuple[str, ...] = ()  # logged to MLflow besides the manifest


@dataclass(frozen=True)
class Request:
    """What a result is computed from, and what to do with it."""

    source: Source
    parameters: Mapping[str, Any]  # what the result depends on besides its inputs
    inputs: Mapping[str, str] = field(default_factory=dict)  # hashes of further inputs by name
    planned: Mapping[str, Any] = field(default_factory=dict)  # what a dry run reports besides the parameters
    out: str | None = None  # output folder, instead of one in the lake
    track: bool = True
    dry_run: bool = False


@dataclass(frozen=True)
class Output:
    """Where a computation writes: `folder`, which is published at `uri` when it ends well, and its MLflow run."""

    uri: str
    folder: Path
    run: Run


def publish_once(
    settings: Settings,
    kind: Kind,
    request: Request,
    compute: Callable[[Output], Manifest],
    result: Callable[[Manifest, str], dict[str, Any]],
    *,
    reusable: Callable[[Manifest], bool] = lambda manifest: True,
) -> dict[str, Any]:
    """Return the result of a request, computed and published unless it exists.

    Parameters
    ----------
    compute : callable
        Writes the files of an `Output` and returns what the manifest says of them, `source` at least. Nothing is
        published if it fails.
    result : callable
        Makes the job's result from a manifest and the URI of its folder.
    reusable : callable
        Whether a result with this manifest may be returned again.
    """
    key = provenance.run_key(kind.job, {"input": request.source.sha256, **request.inputs}, request.parameters)
    uri = request.out or storage.join(settings.lake_uri, kind.folder, key)
    read = [{"uri": request.source.uri, "sha256": request.source.sha256}]
    existing = publish.manifest(uri, kind.schema_version, kind.manifest)
    if existing and existing.get("run_key") == key and reusable(existing):
        return result(existing, uri) | {"inputs": read, "reused": True}
    if request.dry_run:
        return {"dry_run": True, "would_write": uri, "run_key": key, **request.planned, **request.parameters}
    with (
        tracking.run(settings, kind.job, request.parameters, source=request.source, enabled=request.track) as run,
        publish.folder(uri, kind.manifest) as folder,
    ):
        facts = compute(Output(uri, folder, run))
        manifest = _manifest(kind, request, {"run_key": key, "run_id": run.id, **facts})
        publish.write_json(folder / kind.manifest, manifest)
        run.tags({"run_key": key, "data.synthetic": manifest["source"]["synthetic"]})
        for name in (*kind.artifacts, kind.manifest):
            run.artifact(folder / name)
    return result(manifest, uri) | {"inputs": read, "reused": False}


def _manifest(kind: Kind, request: Request, facts: Manifest) -> Manifest:
    return {
        "schema_version": kind.schema_version,
        "kind": kind.name,
        **request.parameters,
        **facts,
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
