"""A loaded bundle: from checked files to answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cabstand.api import onnx_check
from cabstand.api.schemas import Row, RowSchema
from cabstand.clustering.core_index import CoreIndex
from cabstand.clustering.marks import BY_ZONE, SYNTHETIC
from cabstand.errors import DataError
from cabstand.modelling.bundle import ASSETS, HOTSPOTS, MODEL, Manifest, check_file
from cabstand.modelling.predictor import Predictor
from cabstand.modelling.problem import Problem

DECIMALS = 6
Answer = dict[str, Any]


class Model:
    """A bundle that is ready to answer; `read` returns the bytes of a file of the bundle by its name.

    Raises a DataError if a file is not what the manifest says, or not one that cabstand writes, or if the bundle does
    not answer its own example.
    """

    def __init__(self, problem: Problem, manifest: Manifest, read: Callable[[str], bytes]) -> None:
        files = {name: check_file(manifest, name, read(name)) for name in (MODEL, ASSETS) if name in manifest.files}
        onnx_check.check(files[MODEL], f"{manifest.problem} {manifest.version} {MODEL}")
        self.manifest = manifest
        self.schema = RowSchema(manifest.fields)
        has_hotspots = HOTSPOTS in manifest.files
        self.hotspots = CoreIndex.load(check_file(manifest, HOTSPOTS, read(HOTSPOTS))) if has_hotspots else None
        self._predictor = Predictor(problem, manifest, files)
        self._name = str(manifest.target["name"])
        self._names = [self._name if name == "point" else name for name in manifest.outputs]
        self._classes = [str(one) for one in manifest.target.get("classes") or ()]
        self.made_at = _moment(manifest.created)
        self._try_example()

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.manifest.version

    @property
    def synthetic(self) -> bool:
        """Whether the bundle was made from synthetic data."""
        return self.manifest.synthetic or (self.hotspots is not None and SYNTHETIC in self.hotspots.marks)

    @property
    def by_zone(self) -> bool:
        """Whether its hotspots are of zone centroids instead of places of pickups."""
        return self.hotspots is not None and BY_ZONE in self.hotspots.marks

    def answer(self, rows: Sequence[Row]) -> list[Answer]:
        """Return one answer a row, from one call of the model."""
        outputs = self._predictor.predict(self.schema.columns(rows))
        return self._classified(outputs) if self._classes else self._estimated(outputs)

    def answer_schema(self) -> dict[str, Any]:
        """Return an answer as OpenAPI describes it."""
        target = self.manifest.target
        number = {"type": ["number", "null"], "x-unit": target.get("unit", "")}
        if self._classes:
            shares = {"type": "object", "additionalProperties": {"type": ["number", "null"]}}
            properties: dict[str, Any] = {
                self._name: {"type": "string", "enum": self._classes, "description": target.get("description", "")},
                "probabilities": shares | {"description": "Probability of each class."},
            }
        else:
            unit = f" Unit: {target['unit']}." if target.get("unit") else ""
            properties = {self._name: number | {"description": f"{target.get('description', '')}{unit}"}}
            share = self.manifest.interval.get("coverage")
            nominal = f" of the interval that holds {share:.0%} of outcomes" if share else " of the interval"
            for name, end in (("low", "Lower end"), ("high", "Upper end")):
                if name in self.manifest.outputs:
                    properties[name] = number | {"description": end + nominal + "."}
        return {"type": "object", "properties": properties, "required": list(properties)}

    def _estimated(self, outputs: Mapping[str, NDArray[Any]]) -> list[Answer]:
        columns = [_rounded(values) for values in outputs.values()]
        return [dict(zip(self._names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _classified(self, outputs: Mapping[str, NDArray[Any]]) -> list[Answer]:
        shares = np.round(outputs["probability"].astype(float), DECIMALS).tolist()
        return [
            {self._name: self._classes[label], "probabilities": dict(zip(self._classes, each, strict=True))}
            for label, each in zip(outputs["label"].tolist(), shares, strict=True)
        ]

    def _try_example(self) -> None:
        row = self.schema.example()
        where = f"{self.manifest.problem} {self.version}"
        try:
            answers = self.answer([row, row]) if row else []
        except Exception as error:  # whatever NumPy or ONNX Runtime raise, the bundle is at fault
            raise DataError(f"does not answer its example: {type(error).__name__}", where=where) from error
        if row and (len(answers) != 2 or answers[0] != answers[1]):
            raise DataError("answers the same row in two ways", where=where)


def _rounded(values: NDArray[Any]) -> list[float]:
    if len(values) == 1:  # NumPy takes ten times as long for one value
        return [round(values.item(), DECIMALS)]
    rounded: list[float] = np.round(values.astype(float), DECIMALS).tolist()
    return rounded


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
