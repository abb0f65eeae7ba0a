"""Drift: what is measured of a window, and what is decided on it; pure."""
