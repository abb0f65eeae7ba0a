"""The compiled stages of exact DBSCAN, each in a file with the functions that run its kernels.

:mod:`.pipeline` calls them in this order: :mod:`.slots` gives every point a slot for its cell, :mod:`.cells` puts the
cells in order and gives every point its own, :mod:`.neighbour_cells` finds what is within reach of sparse cells,
:mod:`.sample` chooses and :mod:`.gather` collects the points to measure, :mod:`.core` finds core points, :mod:`.link`
and :mod:`.closest` join cells, :mod:`.labels` writes the answer. Where too many points are in reach, :mod:`.costly`
asks trees (:mod:`.trees`, :mod:`.within`). All take raw arrays and scalars; units and checks belong to
:mod:`cabstand.clustering.dbscan`.
"""
