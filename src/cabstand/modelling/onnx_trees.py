"""Check the trees and linear models of an ONNX file: ONNX Runtime believes their indices and recurses into their depth.

An index that is out of range is read or written outside an array, on rows that reach it alone; so trying a model on
some rows cannot find it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cabstand.errors import DataError
from cabstand.modelling.onnx_wire import Attribute, Ints

MAX_TARGETS = 1_000  # of a tree ensemble, or classes
MAX_DEPTH = 1_000  # of one tree
MAX_STEPS = 100_000  # comparisons for a row, at most: the depths of all trees
_NODES = ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids")

Attributes = Mapping[str, Attribute]


def check_trees(found: Attributes, width: int, where: str) -> int:
    """Return the number of targets of a tree ensemble over `width` columns, or raise a DataError."""
    n_targets, prefix = _targets(found), "class" if "class_ids" in found else "target"
    if not 1 <= n_targets <= MAX_TARGETS:
        raise DataError(f"{n_targets:,} targets, not 1 to {MAX_TARGETS:,}", where=where)
    if any(name.endswith("_as_tensor") for name in found):
        raise DataError("trees with attributes as tensors are refused", where=where)
    trees, nodes, features, yes, no = (_ints(found, name) for name in _NODES)
    is_leaf = np.array([mode == b"LEAF" for mode in _get(found, "nodes_modes").strings], bool)
    sizes = {len(one) for one in (trees, nodes, features, yes, no, is_leaf)} | {_get(found, "nodes_values").n_floats}
    leaves = [_ints(found, f"{prefix}_{name}") for name in ("treeids", "nodeids", "ids")]
    leaf_sizes = {len(one) for one in leaves} | {_get(found, f"{prefix}_weights").n_floats}
    if len(sizes) > 1 or len(leaf_sizes) > 1 or not len(trees):
        raise DataError("lists of trees differ in length, or there are none", where=where)
    _within(features[~is_leaf], width, "feature", where)
    _within(leaves[2], n_targets, "target", where)
    keys = _keys(trees, nodes)
    order = np.argsort(keys, kind="stable")
    known = keys[order]
    if (known[1:] == known[:-1]).any():
        raise DataError("a node of a tree is listed twice", where=where)
    _find(known, _keys(leaves[0], leaves[1]), where)
    branches = np.flatnonzero(~is_leaf)
    children = np.full((len(trees), 2), -1)
    for column, ids in enumerate((yes, no)):
        children[branches, column] = order[_find(known, _keys(trees[branches], ids[branches]), where)]
    _check_depth(children, trees, where)
    return n_targets


def check_linear(found: Attributes, width: int, where: str) -> int:
    """Return the number of targets of a linear model over `width` columns, or raise a DataError."""
    n_intercepts, n_classes = _get(found, "intercepts").n_floats, _n_classes(found)
    n_targets = found["targets"].integer if "targets" in found else max(1, n_intercepts)
    if not 1 <= n_targets <= MAX_TARGETS:
        raise DataError(f"{n_targets:,} targets, not 1 to {MAX_TARGETS:,}", where=where)
    fits = _get(found, "coefficients").n_floats == n_targets * width and n_intercepts in {0, n_targets}
    if not fits or n_classes not in {0, n_targets, 2 if n_targets == 1 else 0}:
        raise DataError("a linear model whose coefficients do not fit its input or its classes", where=where)
    return max(n_targets, n_classes)


def _targets(found: Attributes) -> int:
    return _n_classes(found) if "class_ids" in found else _get(found, "n_targets").integer


def _n_classes(found: Attributes) -> int:
    names = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
    return max(max(len(_get(found, name).ints), len(_get(found, name).strings)) for name in names)


def _check_depth(children: Ints, trees: Ints, where: str) -> None:
    """Raise a DataError unless the nodes are trees, and shallow; `children` is (n, 2), -1 where there is none."""
    n_parents = np.bincount(children[children >= 0], minlength=len(trees))
    level = np.flatnonzero(n_parents == 0)
    _, tree = np.unique(trees, return_inverse=True)
    n_trees, n_seen, depth = int(tree.max()) + 1, 0, 0
    depths = np.zeros(n_trees, np.int64)
    if n_parents.max() > 1 or len(level) != n_trees or len(np.unique(tree[level])) != n_trees:
        raise DataError("nodes that form no tree", where=where)
    while len(level):
        depths[tree[level]] = depth
        n_seen, depth = n_seen + len(level), depth + 1
        if depth > MAX_DEPTH:
            raise DataError(f"a tree deeper than {MAX_DEPTH:,}", where=where)
        below = children[level]
        level = below[below >= 0]
    if n_seen != len(trees):
        raise DataError("nodes that form no tree", where=where)
    if depths.sum() > MAX_STEPS:
        raise DataError(f"trees with {depths.sum():,} levels in all, more than {MAX_STEPS:,}", where=where)


def _keys(trees: Ints, nodes: Ints) -> Ints:
    return (trees << 32) + nodes


def _find(known: Ints, wanted: Ints, where: str) -> Ints:
    """Return where each of `wanted` is in the sorted `known`."""
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    if (known[at] != wanted).any():
        raise DataError("a tree refers to a node that it does not have", where=where)
    return np.asarray(at)


def _within(values: Ints, limit: int, what: str, where: str) -> None:
    if len(values) and (values.min() < 0 or values.max() >= limit):
        raise DataError(f"a tree refers to a {what} that does not exist", where=where)


def _ints(found: Attributes, name: str) -> Ints:
    values = _get(found, name).ints
    if "ids" in name and len(values) and (abs(values) >= 1 << 31).any():
        raise ValueError("an id out of range")
    return values


def _get(found: Attributes, name: str) -> Attribute:
    return found.get(name, Attribute())
