"""CloudWatch's alarms on this machine: they change state by AWS's rules, and notify."""
