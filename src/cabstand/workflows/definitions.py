"""The workflows as their file declares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from cabstand.errors import ConfigError, first_fault, suggest

FILE = "workflows.yaml"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Job = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)?$", max_length=80)]
Value = bool | int | float | str


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Step(_Declared):
    """A job of a workflow, and what becomes of an attempt that fails or takes too long."""

    name: Name
    job: Job  # a command, or a group and its command
    options: dict[Name, Value | list[Value]] = Field({}, alias="with")
    timeout_min: float = Field(gt=0, le=1440)
    attempts: int = Field(3, ge=1, le=10)
    retry_wait_s: float = Field(30, ge=0, le=3600)

    @property
    def words(self) -> list[str]:
        """The command line of the step, without the program's name."""
        return [*self.job.split(), *(word for name, value in self.options.items() for word in _words(name, value))]


class Workflow(_Declared):
    """Steps that run one after the other, on a schedule."""

    description: str = Field(min_length=1, max_length=512)  # the most that EventBridge Scheduler keeps
    schedule: str
    task: Name
    steps: list[Step] = Field(min_length=1)

    @field_validator("steps")
    @classmethod
    def _named_once(cls, steps: list[Step]) -> list[Step]:
        names = [step.name for step in steps]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"step {repeated[0]} is named twice")
        return steps

    def commands(self, options: Sequence[str] = ()) -> dict[str, list[str]]:
        """Return each step's command line; `options` go to the steps whose job has the name of the task."""
        return {step.name: [*step.words, *(options if step.job == self.task else ())] for step in self.steps}


class _File(_Declared):
    workflows: dict[Name, Workflow] = Field(min_length=1)


def load(path: Path | None = None) -> dict[str, Workflow]:
    """Return the workflows of a file by name, those of the package by default.

    Raises
    ------
    ConfigError
        If there is no such file, or something in it is wrong: one line with the place.
    """
    import yaml

    where = path or FILE
    try:
        text = (path or files("cabstand.workflows").joinpath(FILE)).read_text(encoding="utf-8")
        return _File.model_validate(yaml.safe_load(text)).workflows
    except ValidationError as error:
        raise _explained(error, where) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("no readable file of workflows", where=where) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=where) from error


def find(name: str, path: Path | None = None) -> Workflow:
    """Return a workflow by name; ConfigError if there is none."""
    known = load(path)
    if name not in known:
        raise ConfigError(f"no workflow {name[:40]!r}", where=path or FILE, hint=suggest(name, list(known)))
    return known[name]


def _words(name: str, value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool):
            yield f"--{name}" if one else f"--no-{name}"
        else:
            yield from (f"--{name}", str(one))


def _explained(error: ValidationError, where: object) -> ConfigError:
    """Return the first fault as one line with its place, such as `workflows.daily.steps.0.timeout`."""
    first, (place, message) = error.errors()[0], first_fault(error, "the file")
    if first["type"] != "extra_forbidden":
        return ConfigError(f"{place}: {message.lower()}", where=where)
    owner: Any = {1: _File, 3: Workflow}.get(len(first["loc"]), Step)
    keys = [field.alias or name for name, field in owner.model_fields.items()]
    return ConfigError(f"{place}: unknown key", where=where, hint=suggest(str(first["loc"][-1]), keys))
