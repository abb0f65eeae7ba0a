"""Trips: schema, cleaning, features, zones, synthetic data; pure."""
