"""Marks: what every file made from some data must say of it, in the metadata of Parquet files and in array files."""

from __future__ import annotations

from collections.abc import Mapping

Marks = frozenset[str]
SYNTHETIC = "synthetic"  # made from generated trips
BY_ZONE = "by_zone"  # its points are centroids of taxi zones, not places of pickups
EVERY = (SYNTHETIC, BY_ZONE)
NONE: Marks = frozenset()


def marks(*, synthetic: bool = False, by_zone: bool = False) -> Marks:
    """Return the marks that apply."""
    return frozenset(name for name, applies in ((SYNTHETIC, synthetic), (BY_ZONE, by_zone)) if applies)


def to_metadata(found: Marks) -> dict[bytes, bytes]:
    """Return what the metadata of a Parquet file holds for these marks."""
    return {f"cabstand.{name}".encode(): b"true" for name in sorted(found)}


def of_metadata(metadata: Mapping[bytes, bytes] | None) -> Marks:
    """Return the marks in the metadata of a Parquet file."""
    return frozenset(name for name in EVERY if (metadata or {}).get(f"cabstand.{name}".encode()) == b"true")
