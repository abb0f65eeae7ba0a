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
    """A kind of result.

    Attributes
    ----------
    job : str
        The job that computes it: the head of its run keys and the name of its MLflow runs.
    name : str
        `kind` in its manifest.
    folder : str
        Its folder in the lake.
    schema_version : int
        The version that is written, and the newest that is read.
    manifest : str
        Name of the manifest; a folder without one is not whole.
    artifacts : tuple of str
        Files that are logged to MLflow besides the manifest.
    """

    job: str
    name: str
    folder: str
    schema_version: int = 1
    manifest: str = publish.MANIFEST
    artifacts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a result is computed from, and what to do with it.

    Attributes
    ----------
    source : Source
        The data.
    parameters : mapping
        What the result depends on besides its inputs.
    inputs : mapping of str to str
        Hashes of further inputs by name.
    planned : mapping
        What a dry run reports besides the parameters.
    out : str, optional
        Output folder, instead of one in the lake.
    track : bool
        Whether to log the run to MLflow.
    dry_run : bool
        Report what would be written, and write nothing.
    """

    source: Source
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    planned: Mapping[str, Any] = field(default_factory=dict)
    out: str | None = None
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
    settings, kind, request
        What is wanted, and where.
    compute : callable
        Writes the files of an `Output` and returns what the manifest says of them, `source` at least.
    result : callable
        Makes the job's result from a manifest and the URI of its folder.
    reusable : callable
        Whether a result with this manifest may be returned again.

    Raises
    ------
    StorageError, RegistryError
        If the lake or MLflow refuses; nothing is published then.
    """
    key = provenance.run_key(kind.job, {"input": request.source.sha256, **request.inputs}, request.parameters)
    uri = request.out or storage.join(settings.lake_uri, kind.folder, key)
    existing = publish.manifest(uri, kind.schema_version, kind.manifest)
    if existing and existing.get("run_key") == key and reusable(existing):
        return result(existing, uri) | {"reused": True}
    if request.dry_run:
        return {"dry_run": True, "would_write": uri, "run_key": key, **request.planned, **request.parameters}
    with (
        tracking.run(settings, kind.job, request.parameters, source=request.source, enabled=request.track) as run,
        publish.folder(uri, kind.manifest) as folder,
    ):
        facts = compute(Output(uri, folder, run))
        manifest = _manifest(kind, request, {"run_key": key, "run_id": run.id, **facts})
        publish.write_json(folder / kind.manifest, manifest)
        _log(run, folder, kind, manifest)
    return result(manifest, uri) | {"reused": False}


def _manifest(kind: Kind, request: Request, facts: Manifest) -> Manifest:
    return {
        "schema_version": kind.schema_version,
        "kind": kind.name,
        **request.parameters,
        **facts,
        "code_version": provenance.code_version(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _log(run: Run, folder: Path, kind: Kind, manifest: Manifest) -> None:
    run.tags({"run_key": manifest["run_key"], "data.synthetic": manifest["source"]["synthetic"]})
    for name in (*kind.artifacts, kind.manifest):
        run.artifact(folder / name)
