"""Clustering in blocks of space on Dask workers."""
