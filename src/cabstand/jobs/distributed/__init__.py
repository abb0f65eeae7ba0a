"""Distributed clustering: blocks of space on Dask workers."""
