"""Dask workers and the files that a distributed run passes between them."""
