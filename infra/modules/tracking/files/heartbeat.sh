#!/bin/bash
# Tells CloudWatch every minute whether MLflow answers; the alarm rings when it says no, and when it falls silent.
# Usage: heartbeat.sh install | beat
set -euo pipefail

root="${CABSTAND_ROOT:-}" # another root, for the test of this script

install_timer() {
    cat >"$root/etc/systemd/system/cabstand-heartbeat.service" <<UNIT
[Unit]
Description=Tell CloudWatch whether MLflow answers

[Service]
Type=oneshot
EnvironmentFile=/etc/cabstand/mlflow.env
ExecStart=/bin/bash /opt/cabstand/heartbeat.sh beat
DynamicUser=yes
UNIT
    cat >"$root/etc/systemd/system/cabstand-heartbeat.timer" <<UNIT
[Unit]
Description=Heartbeat of MLflow, every minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
UNIT
    systemctl daemon-reload
    systemctl enable --now cabstand-heartbeat.timer
}

beat() {
    healthy=0
    if curl --fail --silent --max-time 10 --output /dev/null "http://127.0.0.1:${MLFLOW_PORT:-5000}/health"; then
        healthy=1
    fi
    aws cloudwatch put-metric-data --namespace "$CABSTAND_METRICS_NAMESPACE" --metric-name MlflowHealthy --value "$healthy"
}

case "${1:-}" in
install) install_timer ;;
beat) beat ;;
*)
    echo "usage: heartbeat.sh install | beat" >&2
    exit 2
    ;;
esac
