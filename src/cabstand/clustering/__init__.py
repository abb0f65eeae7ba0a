"""Exact DBSCAN of points on the Earth, and what follows from it: hotspots, quality, comparison, planning."""
