"""Trips: one schema for every era, cleaning with a quarantine, taxi zones, synthetic trips.

Pure: files are read by path, nothing here knows of buckets, the network or settings.
"""
