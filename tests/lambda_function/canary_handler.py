"""A function that logs each request as the service does; `behaviour.json` in its zip says how it behaves."""

import itertools
import json
import time
from pathlib import Path

BEHAVIOUR = json.loads(Path(__file__).with_name("behaviour.json").read_text())
NUMBERS = itertools.count(1)


def handler(event, context):
    time.sleep(BEHAVIOUR["takes_s"])
    number = next(NUMBERS)
    fails = BEHAVIOUR["every"] and number % BEHAVIOUR["every"] == 0
    if fails and number % 2:
        raise RuntimeError("bad")
    status = 500 if fails else 200
    print(json.dumps({"event": "request", "status": status, "LatencyMs": 1.0}), flush=True)
    return {"statusCode": status, "body": context.function_version}
