"""Trips: one schema for every era, cleaning with a quarantine, taxi zones, synthetic trips.

Pure: reads and writes files by local path; knows no buckets, network or settings.
"""
