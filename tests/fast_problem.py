"""Ride durations, learned in seconds: for tests of jobs, not of models."""

from __future__ import annotations

from dataclasses import replace

from cabstand.modelling.problems import trip_duration


def candidates() -> list[trip_duration.Candidate]:
    return trip_duration.candidates()[:2]


PROBLEM = replace(trip_duration.PROBLEM, name="trip-duration-fast", candidates=candidates, coverage=None)
