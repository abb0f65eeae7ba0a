"""The alarms: silenced while a deployment sleeps, watched while a version of its service is deployed."""

from __future__ import annotations

from cabstand.account.deployment import Deployment
from cabstand.io.aws import call, items


def switch_silence(deployment: Deployment, *, enabled: bool) -> None:
    """Let the alarms of a silent server and a silent monitor notify, or not; AWS ignores one that is not there."""
    operation = "enable_alarm_actions" if enabled else "disable_alarm_actions"
    call("cloudwatch", operation, AlarmNames=[f"{deployment.name}-{one}-silent" for one in ("server", "monitor")])


def ringing(function: str) -> set[str]:
    """Return the names of the service's alarms that ring."""
    names = "MetricAlarms[?StateValue == 'ALARM'].AlarmName"
    return set(items("cloudwatch", "describe_alarms", names, AlarmNamePrefix=f"{function}-"))
