"""What every job has in common."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import cabstand.jobs

JOBS = [module.name for module in pkgutil.iter_modules(cabstand.jobs.__path__) if not module.ispkg]


@pytest.mark.parametrize("name", JOBS)
def test_a_module_directly_in_jobs_is_a_job(name: str) -> None:
    """What several jobs share belongs to a package below `cabstand.jobs`."""
    run = importlib.import_module(f"cabstand.jobs.{name}").run
    signature = inspect.signature(run)
    assert [(one.name, one.annotation) for one in signature.parameters.values()] == [
        ("settings", "Settings"),
        ("params", "Params"),
    ]
    assert signature.return_annotation == "dict[str, Any]"
