"""The rows of the table "Coming from another DBSCAN" in docs/clustering.md whose packages are installed here."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import dbscan as pypi
import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from cabstand import GeoDBSCAN

PAGE = Path(__file__).parents[2] / "docs" / "clustering.md"
# The last point is within 1 of the clusters on both sides and no core point.
SHARED = np.array([[x, 0.0] for x in (-2, -1.75, -1.5, -1, 1, 1.5, 1.75, 2, 0)])
RANDOM = np.random.default_rng(0).uniform(0, 40, (3000, 2))


def ours(points: np.ndarray, min_samples: int) -> GeoDBSCAN:
    return GeoDBSCAN(eps_m=1.0, min_samples=min_samples, metric="euclidean").fit(points)


@pytest.mark.parametrize("package", ["scikit-learn", "dbscan"])
def test_the_table_names_the_version_that_is_tested(package: str) -> None:
    row = next(line for line in PAGE.read_text().splitlines() if re.match(rf"\| {package}\b.*tested", line))
    assert version(package) in row


def test_who_wants_the_clustering_alone_finds_it() -> None:
    """From the first lines of the README, and from each page of the clustering to the others."""
    root = PAGE.parents[1]
    assert "(docs/dbscan.md)" in (root / "README.md").read_text().partition("## ")[0]
    linked = {"dbscan": ["clustering", "planner", "distributed"], "planner": ["clustering", "distributed"]}
    linked |= {"distributed": ["dbscan", "planner"], "clustering": ["dbscan", "planner", "distributed"]}
    for page, others in linked.items():
        text = (root / "docs" / f"{page}.md").read_text()
        assert [other for other in others if f"]({other}.md" not in text] == []


def test_every_row_names_a_version() -> None:
    """The finding tests each version that a row says is tested."""
    text = PAGE.read_text()
    table = text[text.index("| from |") : text.index("## Tracking")]
    rows = [line.split("|")[1:4] for line in table.splitlines()[2:] if line.startswith("|")]
    script = (PAGE.parents[1] / "findings" / "other-dbscans.sh").read_text()
    assert len(rows) >= 11
    for name, _, basis in rows:
        versions = re.findall(r"\d+(?:[.-]\d+)+", basis)
        assert versions, name
        assert "tested with" in basis or "tried by hand with" in basis, name
        if "tested with" in basis:
            assert all(found in script for found in versions), name


@pytest.mark.parametrize(("points", "min_samples"), [(SHARED, 4), (SHARED[::-1], 4), (RANDOM, 8)])
def test_scikit_learn_gives_the_same_labels(points: np.ndarray, min_samples: int) -> None:
    theirs = DBSCAN(eps=1.0, min_samples=min_samples).fit(points)
    model = ours(points, min_samples)
    np.testing.assert_array_equal(model.labels_, theirs.labels_)
    np.testing.assert_array_equal(model.core_sample_indices_, theirs.core_sample_indices_)


def test_pypi_dbscan_finds_the_same_clusters_and_numbers_them_otherwise() -> None:
    labels, core = pypi.DBSCAN(RANDOM, 1.0, 8)
    model = ours(RANDOM, 8)
    np.testing.assert_array_equal(np.flatnonzero(core), model.core_sample_indices_)
    np.testing.assert_array_equal(labels == -1, model.labels_ == -1)
    pairs = set(zip(labels[core].tolist(), model.labels_[core].tolist(), strict=True))
    n_clusters = model.labels_.max() + 1
    assert len(pairs) == labels.max() + 1 == n_clusters  # one cluster of theirs for one of ours
    assert (labels != model.labels_).any()


def test_pypi_dbscan_may_put_a_shared_border_point_into_the_other_cluster() -> None:
    points = np.ascontiguousarray(SHARED[::-1])
    labels, core = pypi.DBSCAN(points, 1.0, 4)
    model = ours(points, 4)
    assert not core[0]
    assert model.labels_[0] == model.labels_[1] == 0  # the lowest-numbered cluster, which holds the points 1 to 4
    assert labels[0] == labels[5] != labels[1]
