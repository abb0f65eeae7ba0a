"""Synthetic trips in a made-up city, with planted hotspots and known faults to test against."""
