"""Drift measures and the decision policy; pure."""
