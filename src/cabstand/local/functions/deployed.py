"""What the emulator holds of a function: aliases with weights, concurrency, versions and their zips."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cabstand.errors import TaskError
from cabstand.local.functions.invocation import not_found

Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Target:
    """What a qualifier stands for: versions with their shares, and the function's reserved concurrency, if any."""

    shares: Mapping[str, float]
    reserved: int | None


@dataclass(frozen=True)
class Version:
    """The configuration of one version, as GetFunctionConfiguration returns it."""

    configuration: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Text that changes with any setting or with the code."""
        return json.dumps(self.configuration, sort_keys=True, default=str)

    @property
    def number(self) -> str:
        """Return `$LATEST` or the number."""
        return str(self.configuration["Version"])

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.configuration["FunctionName"])

    @property
    def python(self) -> str:
        """The Python version of the runtime."""
        runtime = str(self.configuration.get("Runtime"))
        if not runtime.startswith("python"):
            raise TaskError(f"the runtime {runtime} cannot run here", where=self.name, hint="only Python's can")
        return runtime.removeprefix("python")


def choose(shares: Mapping[str, float], generator: random.Random) -> str:
    """Choose a version at random by its share; the shares sum to one."""
    versions = list(shares)
    return versions[0] if len(versions) == 1 else generator.choices(versions, list(shares.values()))[0]


def target(client: Any, name: str, qualifier: str) -> Target:
    """Read what a qualifier stands for: a version, `$LATEST` or an alias; `client` is Lambda's."""
    try:
        reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        if re.fullmatch(r"\$LATEST|[0-9]+", qualifier):
            return Target({qualifier: 1.0}, reserved)
        alias = client.get_alias(FunctionName=name, Name=qualifier)
    except client.exceptions.ResourceNotFoundException:
        raise not_found(f"{name}:{qualifier}") from None
    others = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    shares = {version: float(share) for version, share in others.items()}
    return Target({alias["FunctionVersion"]: 1.0 - sum(shares.values()), **shares}, reserved)


def version(client: Any, name: str, number: str) -> Version:
    """Read the configuration of a version."""
    try:
        answer = client.get_function_configuration(FunctionName=name, Qualifier=number)
    except client.exceptions.ResourceNotFoundException:
        raise not_found(f"{name}:{number}") from None
    return Version({key: value for key, value in answer.items() if key != "ResponseMetadata"} | {"Version": number})


def unpacked(clients: Clients, wanted: Version, folder: Path) -> Path:
    """Unpack the zip of a version below a folder, once; return its tree."""
    tree = folder / hashlib.sha256(str(wanted.configuration["CodeSha256"]).encode()).hexdigest()[:16]
    if tree.is_dir():
        return tree
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder))
    with zipfile.ZipFile(io.BytesIO(_zip(clients, wanted))) as packed:
        packed.extractall(aside)
    aside.chmod(0o755)
    try:
        aside.rename(tree)
    except OSError:  # another environment was faster
        shutil.rmtree(aside)
    return tree


def _zip(clients: Clients, wanted: Version) -> bytes:
    """Fetch the zip from where GetFunction says that it lies: an object in a bucket of Lambda's own."""
    answer = clients("lambda").get_function(FunctionName=wanted.name, Qualifier=wanted.number)
    location = urlsplit(answer["Code"]["Location"])
    bucket = location.netloc.partition(".s3.")[0]
    found = clients("s3").get_object(Bucket=bucket, Key=location.path.lstrip("/"))
    return bytes(found["Body"].read())
