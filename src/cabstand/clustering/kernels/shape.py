"""What measures of the shape of clusters go through points for; each sum is that of NumPy, bit for bit."""

from __future__ import annotations

import math

import numpy as np

from cabstand.clustering.kernels.jit import kernel


@kernel
def count_members(labels, sizes):
    """Add to `sizes` (int64, shape (k + 1,)): the points of noise (label -1), then those of each cluster."""
    for label in labels:
        sizes[np.uint64(label + 1)] += 1


@kernel
def group(points, squares, labels, heads, grouped, own_squares):
    """Copy members, shape (n, 3), cluster by cluster; return the sums of all their coordinates.

    `heads` (int64, shape (k,)) are where the next member of each cluster goes, and move on.
    """
    a = b = c = 0.0
    for i in range(np.uint64(len(labels))):
        if labels[i] >= 0:
            cluster = np.uint64(labels[i])
            to = np.uint64(heads[cluster])
            heads[cluster] += 1
            a += points[i, 0]
            b += points[i, 1]
            c += points[i, 2]
            grouped[to, 0] = points[i, 0]
            grouped[to, 1] = points[i, 1]
            grouped[to, 2] = points[i, 2]
            own_squares[to] = squares[i]
    return a, b, c


@kernel
def find_centre(members, centre):
    """Fill the mean of the members, shape (m, 3), of a cluster."""
    a = b = c = 0.0
    for i in range(np.uint64(len(members))):
        a += members[i, 0]
        b += members[i, 1]
        c += members[i, 2]
    centre[0] = a / len(members)
    centre[1] = b / len(members)
    centre[2] = c / len(members)


@kernel
def measure_members(members, centre, squares, products, deviations):
    """Turn the scalar products of members and their centre into distances; fill the squared deviations, (m, 3).

    `squares` are those of the lengths of the members, and of the centre.
    """
    of_members, of_centre = squares
    for i in range(np.uint64(len(members))):
        square = -2 * products[i] + of_members[i] + of_centre
        products[i] = math.sqrt(square if square > 0.0 else 0.0)
        for axis in range(3):
            away = members[i, axis] - centre[axis]
            deviations[i, axis] = away * away


@kernel
def sum_distances(products, first, squares, groups, sums):
    """Add the distances of the points from `first` on to all points, shape (m, n), to the sums for each group of these.

    `products` are their scalar products, and are overwritten.
    """
    for i in range(len(products)):
        row = products[i]
        own = squares[first + i]
        for j in range(len(row)):
            square = -2 * row[j] + own + squares[j]
            row[j] = math.sqrt(square if square > 0.0 else 0.0)
        row[first + i] = 0.0
        for j in range(np.uint64(len(row))):
            sums[i, np.uint64(groups[j])] += row[j]


@kernel
def sum_members(axes, labels, pulls, sums):
    """Add the coordinates of members, shape (3, n), each times its pull if there are pulls, to their clusters' sums."""
    for i in range(np.uint64(len(labels))):
        if labels[i] >= 0:
            cluster = np.uint64(labels[i])
            pull = pulls[i] if len(pulls) > 0 else 1.0
            sums[0, cluster] += pull * axes[0, i]
            sums[1, cluster] += pull * axes[1, i]
            sums[2, cluster] += pull * axes[2, i]


@kernel
def find_farthest(axes, labels, centres, squares):
    """Raise the squares, shape (k,), to the largest squared distance of a member from its centre, shape (3, k)."""
    for i in range(np.uint64(len(labels))):
        if labels[i] >= 0:
            cluster = np.uint64(labels[i])
            a = axes[0, i] - centres[0, cluster]
            b = axes[1, i] - centres[1, cluster]
            c = axes[2, i] - centres[2, cluster]
            square = a * a + b * b + c * c
            squares[cluster] = max(squares[cluster], square)
