"""Exact DBSCAN on the Earth; pure."""
