"""What the MLflow server needs beyond MLflow: its database, its users, a guard on what it leaves open.

Runs with MLflow's own Python: `python mlflow_server.py database | users`, and `create_app` as the server's application.
Secrets come in the environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]]


def make_database() -> None:
    """Make a database and a user of MLflow's own.

    The master's password is RDS's, which changes it every week; MLflow's is `PGPASSWORD`, kept by nobody but the secret
    that it is derived from.
    """
    from psycopg import sql

    role, name = sql.Identifier("mlflow"), os.environ["MLFLOW_DB_NAME"]
    with _connect_as_master() as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'mlflow'").fetchone():
            server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(os.environ["PGPASSWORD"])))
        # RDS's master is no superuser: it may give a database only to a role that it belongs to.
        server.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), role))
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _connect_as_master() -> Any:
    import psycopg

    master = json.loads(os.environ["MLFLOW_DB_MASTER"])
    for attempt in range(60):  # a database that was asleep takes minutes to wake
        try:
            return psycopg.connect(
                host=os.environ["MLFLOW_DB_HOST"],
                port=os.environ.get("MLFLOW_DB_PORT", "5432"),
                user=master["username"],
                password=master["password"],
                dbname="postgres",
                autocommit=True,
                connect_timeout=10,
            )
        except psycopg.OperationalError:
            if attempt == 59:
                raise
            time.sleep(10)
    raise AssertionError("unreachable")


def make_users() -> None:
    """Make the administrator and the tasks' user, and give each the password that its secret has now.

    MLflow itself reads the administrator's first password once; this makes changing the secret and restarting enough.
    """
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(os.environ["MLFLOW_BACKEND_STORE_URI"])
    admin = {key: os.environ[f"MLFLOW_AUTH_ADMIN_{key.upper()}"] for key in ("username", "password")}
    tasks = json.loads(os.environ.get("MLFLOW_TASKS_USER") or "null")
    for user, is_admin in ((admin, True), (tasks, False)):
        if user is None:
            continue
        if not store.has_user(user["username"]):
            store.create_user(user["username"], user["password"], is_admin=is_admin)
        elif not store.authenticate_user(user["username"], user["password"]):
            store.update_user(user["username"], password=user["password"])


def create_app() -> Application:
    """Return MLflow with basic auth also on what it shows to anybody (server-info, static files): all but /health."""
    from mlflow.server import auth
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse

    inner: Application = auth.create_app()
    refusal = PlainTextResponse("You are not authenticated.", 401, {"WWW-Authenticate": 'Basic realm="mlflow"'})

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        is_open = scope["type"] == "http" and path != "/health" and auth.is_unprotected_route(path)
        if is_open and await run_in_threadpool(auth._authenticate_fastapi_request, Request(scope)) is None:
            await refusal(scope, receive, send)
        else:
            await inner(scope, receive, send)

    return guarded


if __name__ == "__main__":
    {"database": make_database, "users": make_users}[sys.argv[1]]()
