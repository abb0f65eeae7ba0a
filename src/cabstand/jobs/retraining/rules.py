"""The policy's rules as the settings have them."""

from __future__ import annotations

from datetime import timedelta

from cabstand.monitoring.drift import Thresholds
from cabstand.monitoring.policy import Limits, Rules
from cabstand.settings import Settings


def of(settings: Settings) -> Rules:
    """Return the rules in force."""
    return Rules(
        min_rows=settings.monitor_min_rows,
        breaches=settings.monitor_breaches,
        cooldown=timedelta(days=settings.monitor_cooldown_days),
        limits=Limits(settings.monitor_error_rise, settings.monitor_bias, settings.monitor_coverage_loss),
        volume_change=settings.monitor_volume_change,
        use_estimate=settings.monitor_use_estimate,
    )


def thresholds(settings: Settings) -> Thresholds:
    """Return the thresholds of drift in force."""
    names = ("share", "psi", "wasserstein", "jensen_shannon")
    return Thresholds(**{name: getattr(settings, f"monitor_{name}") for name in names})
