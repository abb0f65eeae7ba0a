"""Bundles and pointers written by an older version are read by this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabstand.io.proving import parent
from cabstand.modelling import bundle, catalog
from cabstand.modelling.fields import columns_of
from cabstand.modelling.pointer import parse_pointer
from cabstand.modelling.predictor import Predictor

HERE = Path(__file__).parent


def test_a_frozen_bundle_still_answers() -> None:
    manifest = bundle.parse_manifest((HERE / "bundle" / bundle.MANIFEST).read_bytes())
    problem = catalog.find(manifest.problem)
    files = {name: (HERE / "bundle" / name).read_bytes() for name in manifest.files}
    answer = Predictor(problem, manifest, files).predict(columns_of(manifest.fields, [problem.example()]))
    assert answer["probability"].sum() == pytest.approx(1)


def test_a_frozen_pointer_is_read() -> None:
    found = parse_pointer((HERE / "pointer" / "pointer.json").read_bytes())
    assert (found.champion, found.previous, found.sequence) == ("m-ba9876543210", "m-0123456789ab", 2)


def test_a_frozen_bundle_still_proves_itself() -> None:
    manifest = bundle.parse_manifest((HERE / "bundle" / bundle.MANIFEST).read_bytes())
    parent.prove(manifest.problem, manifest.version, lambda name, _: (HERE / "bundle" / name).read_bytes(), 192)
