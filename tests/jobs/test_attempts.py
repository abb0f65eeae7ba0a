"""The register of attempts: which ones share held-out rows, also across seeds, spans and processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import bundles
from cabstand.errors import DataError
from cabstand.io import storage
from cabstand.jobs.promotion import attempts
from cabstand.modelling.bundle import Manifest
from cabstand.settings import Settings, load


def version(settings: Settings, name: str, sha256: str, span: list[str] | None = None, **files: str) -> Manifest:
    """Return the manifest of a version whose holdout has this hash and span and was cut from these files."""
    training = {"holdout": {"sha256": sha256 * 64, "rows": 50, "span": span}}
    made = bundles.small_bundle(settings.artifacts_uri, "housing", name, training=training)
    return Manifest(**{**vars(made), "data": {"sha256": files}})


def count(manifest: Manifest, champion: str | None = "c", **more: Any) -> int:
    return attempts.number(load(), manifest, champion, **more)


def test_other_seeds_of_one_file_share_rows() -> None:
    """A random split of the same file by another seed is another sample of the same rows, not new evidence."""
    settings = load()
    assert count(version(settings, "a", "1", input0="x")) == 1
    assert count(version(settings, "b", "2", input0="x", zones="z")) == 2
    assert count(version(settings, "c", "3", input0="y", zones="z")) == 1
    assert count(version(settings, "d", "4", input0="x", holdout0="w")) == 1
    assert count(version(settings, "e", "5", input0="y", holdout0="w")) == 2
    assert count(version(settings, "f", "6")) == 1  # data that the problem includes
    assert count(version(settings, "g", "7")) == 2


def test_spans_share_rows_if_they_overlap() -> None:
    settings = load()
    assert count(version(settings, "jan", "1", ["2023-01-01", "2023-01-31"], holdout0="x")) == 1
    assert count(version(settings, "feb", "2", ["2023-02-01", "2023-02-28"], holdout0="x")) == 1
    assert count(version(settings, "late", "3", ["2023-01-25", "2023-02-05"], holdout0="y")) == 3


def test_another_champion_starts_afresh_and_a_question_keeps_its_number() -> None:
    settings = load()
    first, second = version(settings, "a", "1"), version(settings, "b", "1")
    assert [count(one, champion) for champion in ("c", None) for one in (first, second)] == [1, 2, 1, 2]
    assert count(first) == 1
    third = version(settings, "d", "1")
    assert [count(third, register=False) for _ in range(2)] == [3, 3]
    assert count(version(settings, "e", "1")) == 3


def test_attempts_at_once_all_count() -> None:
    settings = load()
    made = [version(settings, f"v{number}", "1") for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        found = sorted(pool.map(count, made))
    assert all(number >= rank for rank, number in enumerate(found, start=1))
    assert count(version(settings, "last", "1")) == 13


def test_a_damaged_register_is_one_line() -> None:
    settings = load()
    count(version(settings, "a", "1"))
    [uri] = storage.list_under(storage.join(settings.artifacts_uri, "housing", "attempts"))
    storage.write(uri, b"{")
    with pytest.raises(DataError, match="not a registered attempt"):
        count(version(settings, "b", "1"))
