"""Judging a version, and acting on the verdict."""
