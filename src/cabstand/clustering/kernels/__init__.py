"""The compiled stages of exact DBSCAN, one a file, in the order in which they run.

`bounds` reads the input once; `grid` lays rows and columns over it; `book` gives every point a slot for its cell,
`cells` puts the cells in order and tells each point its own; `sample` and `scatter` bring the points that matter
together; `core` counts neighbours, `link` joins cells, `closest` settles the pairs that samples could not, `number` and
`border` write the answer. `pipeline` runs them, with `layout` and `kept`; `bits`, `atomic` and `fetch` are instructions
that numba has no name for. All take raw arrays and scalars; units and checks belong to
:mod:`cabstand.clustering.dbscan`.
"""
