"""Print every route of MLflow's server as JSON pairs of method and path, with a value for each variable."""

import json
import os
import re

os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "k"  # pragma: allowlist secret
os.environ["_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED"] = "true"
os.environ["_MLFLOW_SGI_NAME"] = "uvicorn"

from fastapi.routing import APIRoute
from mlflow.server import app as flask_app
from mlflow.server.auth import create_app
from starlette.routing import Mount, Route

application = create_app(flask_app)
found = set()
for rule in flask_app.url_map.iter_rules():
    for method in rule.methods - {"HEAD", "OPTIONS"}:
        found.add((method, re.sub(r"<[^>]+>", "x1", rule.rule)))


def walk(routes, prefix=""):
    for route in routes:
        if isinstance(route, (APIRoute, Route)):
            for method in (route.methods or {"GET"}) - {"HEAD", "OPTIONS"}:
                found.add((method, prefix + re.sub(r"{[^}]+}", "x1", route.path)))
        elif isinstance(route, Mount) and getattr(route, "routes", None):
            walk(route.routes, prefix + route.path)


walk(getattr(application, "routes", []))
print(json.dumps(sorted(found)))
