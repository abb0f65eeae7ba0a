#!/bin/bash
# Makes a machine the MLflow server, and is what its service runs. Usage: mlflow_setup.sh [setup | serve | health]
#
#   setup   install MLflow from the hash lock, make its database, start the service, wait until it answers (user data)
#   serve   read the secrets, bring the users up to date, become the server (the service; the container image too)
#   health  restart the service after three unanswered calls in a row (a timer, every minute)
#
# Configuration: /etc/cabstand/mlflow.env, addresses and ARNs alone. A secret never touches the disk or a command line.
# MLflow lives in a virtual environment rather than in its image: the first `terraform apply` then needs no image in a
# repository, and two GiB of memory need no container engine; the lock's hashes fix the same bytes either way.
# It may be run again at any time.
set -euo pipefail

root="${CABSTAND_ROOT:-}" # another root, for the test of this script
config="$root/etc/cabstand/mlflow.env"
home="$root/opt/cabstand/mlflow"
units="$root/etc/systemd/system"
files=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")") # mlflow_server.py lies beside this script
service=cabstand-mlflow
account="${MLFLOW_ACCOUNT:-mlflow}"

say() { echo "mlflow_setup: $*" >&2; }

load_config() {
    [ -f "$config" ] || return 0 # in the container everything is in the environment already
    set -a
    # shellcheck source=/dev/null
    . "$config"
    set +a
}

# --- setup
setup() {
    load_config
    install_python
    install -d -m 0755 "$home" "$units"
    id "$account" >/dev/null 2>&1 || useradd --system --home-dir "$home" --shell /sbin/nologin "$account"
    install_mlflow
    make_database
    write_units
    systemctl daemon-reload
    systemctl enable "$service.service" "$service-health.timer"
    systemctl restart "$service.service"
    wait_until_up
    systemctl restart "$service-health.timer"
}

install_python() {
    # The system's own Python on Amazon Linux 2023 is 3.9, which MLflow no longer takes.
    if command -v dnf >/dev/null; then dnf install --assumeyes --quiet python3.11; fi
}

install_mlflow() {
    local done_mark="$home/installed.sha256" sum
    sum=$(sha256sum "$MLFLOW_REQUIREMENTS" | cut -d ' ' -f 1)
    [ "$(cat "$done_mark" 2>/dev/null)" = "$sum" ] && return 0
    say "installing MLflow"
    rm -rf "$home/venv"
    "${MLFLOW_PYTHON:-python3.11}" -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement "$MLFLOW_REQUIREMENTS"
    echo "$sum" >"$done_mark"
}

make_database() {
    [ -z "${MLFLOW_BACKEND_STORE_URI:-}" ] || return 0 # SQLite, on a machine without PostgreSQL
    say "making the database"
    MLFLOW_DB_MASTER=$(secret "$MLFLOW_DB_SECRET_ARN")
    PGPASSWORD=$(database_password "$(secret "$MLFLOW_SERVER_SECRET_ARN")")
    export MLFLOW_DB_MASTER PGPASSWORD PGSSLMODE="${PGSSLMODE:-require}"
    "$home/venv/bin/python" "$files/mlflow_server.py" database
    unset MLFLOW_DB_MASTER PGPASSWORD
}

write_units() {
    cat >"$units/$service.service" <<UNIT
[Unit]
Description=MLflow tracking server
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=$account
Environment=CABSTAND_ROOT=$root
ExecStart=/bin/bash $files/mlflow_setup.sh serve
Restart=always
RestartSec=15
TimeoutStopSec=30
RuntimeDirectory=cabstand-mlflow
WorkingDirectory=/tmp
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
MemoryMax=85%

[Install]
WantedBy=multi-user.target
UNIT
    cat >"$units/$service-health.service" <<UNIT
[Service]
Type=oneshot
Environment=CABSTAND_ROOT=$root
ExecStart=/bin/bash $files/mlflow_setup.sh health
UNIT
    cat >"$units/$service-health.timer" <<UNIT
[Timer]
OnBootSec=5min
OnUnitActiveSec=1min

[Install]
WantedBy=timers.target
UNIT
}

answers() { curl --fail --silent --max-time 10 --output /dev/null "http://127.0.0.1:${MLFLOW_PORT:-5000}/health"; }

wait_until_up() {
    local second
    for ((second = 0; second < 600; second += 5)); do # the first start makes the tables: 40 s here, minutes on a small server
        answers && say "MLflow answers on port ${MLFLOW_PORT:-5000}" && return 0
        sleep 5
    done
    say "MLflow does not answer; see: journalctl -u $service"
    return 1
}

# --- serve
serve() {
    load_config
    local python=python3
    [ -x "$home/venv/bin/python" ] && python="$home/venv/bin/python" && export PATH="$home/venv/bin:$PATH"
    [ -n "${MLFLOW_SERVER_SECRET_ARN:-}" ] && take_secrets
    : "${PGPASSWORD:?}" "${MLFLOW_AUTH_ADMIN_PASSWORD:?}" "${MLFLOW_FLASK_SERVER_SECRET_KEY:?}"
    export PGSSLMODE="${PGSSLMODE:-require}"
    # No password in an address: libpq takes it from PGPASSWORD, so none shows in a list of processes.
    : "${MLFLOW_BACKEND_STORE_URI:=postgresql+psycopg://mlflow@${MLFLOW_DB_HOST:-}:${MLFLOW_DB_PORT:-5432}/${MLFLOW_DB_NAME:-}}"
    export MLFLOW_BACKEND_STORE_URI
    harden "${RUNTIME_DIRECTORY:-/tmp}"
    register_app "${RUNTIME_DIRECTORY:-/tmp}"
    "$python" "$files/mlflow_server.py" users
    unset MLFLOW_TASKS_USER
    exec mlflow server --app-name cabstand --host "${MLFLOW_HOST:-0.0.0.0}" --port "${MLFLOW_PORT:-5000}" --workers "${MLFLOW_WORKERS:-2}" \
        --allowed-hosts "$(allowed_hosts)" --serve-artifacts --artifacts-destination "$MLFLOW_ARTIFACTS_URI" \
        --uvicorn-opts "--timeout-keep-alive 30 --no-server-header"
}

# MLflow finds an application by the metadata of an installed package; this one is a file and two lines of metadata.
register_app() {
    local place="$1/cabstand_mlflow-1.dist-info"
    install -d "$place"
    printf 'Metadata-Version: 2.1\nName: cabstand-mlflow\nVersion: 1\n' >"$place/METADATA"
    printf '[mlflow.app]\ncabstand = mlflow_server:create_app\n' >"$place/entry_points.txt"
    export PYTHONPATH="$1:$files"
}

take_secrets() {
    local server
    server=$(secret "$MLFLOW_SERVER_SECRET_ARN")
    MLFLOW_AUTH_ADMIN_USERNAME=$(field username <<<"$server")
    MLFLOW_AUTH_ADMIN_PASSWORD=$(field password <<<"$server")
    MLFLOW_FLASK_SERVER_SECRET_KEY=$(field flask_secret_key <<<"$server")
    PGPASSWORD=$(database_password "$server")
    MLFLOW_TASKS_USER=$(secret "$MLFLOW_TASKS_SECRET_ARN")
    export MLFLOW_AUTH_ADMIN_USERNAME MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY PGPASSWORD MLFLOW_TASKS_USER
}

harden() {
    export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_BASIC_AUTH_FAIL_CLOSED=true MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
    export MLFLOW_ALLOW_HTTP_REDIRECTS=false MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1
    export MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE=false MLFLOW_AUTH_CONFIG_PATH="$1/basic_auth.ini"
    # Users stand in PostgreSQL, so a replaced server keeps them; a new user sees nothing until it is given something.
    cat >"$MLFLOW_AUTH_CONFIG_PATH" <<INI
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = $MLFLOW_BACKEND_STORE_URI
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
INI
}

# MLflow's option replaces its own list and compares the Host header as sent: each name with and without the port.
allowed_hosts() {
    local name hosts=""
    for name in ${MLFLOW_ALLOWED_HOSTS//,/ }; do
        name=${name%:"${MLFLOW_PORT:-5000}"}
        hosts+="${hosts:+,}$name,$name:${MLFLOW_PORT:-5000}"
    done
    echo "$hosts"
}

# The permissions of a new role can take a minute to reach a service.
patiently() {
    local attempt
    for attempt in {1..12}; do
        "$@" && return 0
        sleep "${MLFLOW_RETRY_SECONDS:-6}"
    done
    say "gave up after $attempt attempts: $*"
    return 1
}

secret() { patiently aws secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text; }

field() { "$home/venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# Derived, so that it need not be kept anywhere: SHA-256 keyed with the server's own key.
database_password() {
    "$home/venv/bin/python" -c 'import hashlib, hmac, json, sys
key = json.load(sys.stdin)["flask_secret_key"].encode()
print(hmac.new(key, b"database", hashlib.sha256).hexdigest())' <<<"$1"
}

# --- health
health() {
    load_config
    local misses="$root/run/cabstand-mlflow-misses" count
    answers && rm -f "$misses" && return 0
    count=$(($(cat "$misses" 2>/dev/null || echo 0) + 1))
    say "no answer, $count in a row"
    echo "$count" >"$misses"
    if [ "$count" -ge 3 ]; then
        rm -f "$misses"
        systemctl restart "$service.service"
    fi
}

case "${1:-setup}" in
setup | serve | health) "${1:-setup}" ;;
*) say "usage: mlflow_setup.sh [setup | serve | health]" && exit 2 ;;
esac
