"""The alarm that a sleeping deployment would set off: its MLflow server is silent because it is stopped."""

from __future__ import annotations

from cabstand.account.deployment import Deployment
from cabstand.io.aws import call


def switch_silence(deployment: Deployment, *, enabled: bool) -> None:
    """Let the alarm of a silent server notify, or not; without such an alarm, AWS changes nothing."""
    operation = "enable_alarm_actions" if enabled else "disable_alarm_actions"
    call("cloudwatch", operation, AlarmNames=[f"{deployment.name}-server-silent"])
