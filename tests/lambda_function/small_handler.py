"""A function of a few lines: it answers with its event, or does what the query asks."""

import json
import os
import time


def handler(event, context):
    asked = event.get("queryStringParameters", {}) if isinstance(event, dict) else {}
    does = asked.get("do", "")
    print(f"does {does or 'nothing'}", flush=True)
    if does in ACTIONS:
        return ACTIONS[does](asked)
    answer = {"event": event, "version": context.function_version, "pid": os.getpid()}
    return {"statusCode": 200, "headers": {"X-Small": "yes"}, "cookies": ["a=1", "b=2"], "body": json.dumps(answer)}


def raise_error(asked):
    raise ValueError("bad")


def sleep(asked):
    time.sleep(float(asked["s"]))
    return {"slept": True, "pid": os.getpid()}


def hold_memory(asked):
    held = []
    while True:
        held.append(bytearray(10_000_000))
        time.sleep(0.01)


def environment(asked):
    return {name: value for name, value in os.environ.items() if "SECRET" not in name}


ACTIONS = {
    "raise": raise_error,
    "sleep": sleep,
    "memory": hold_memory,
    "exit": lambda asked: os._exit(3),
    "big": lambda asked: "x" * 7_000_000,
    "text": lambda asked: "only text",
    "wrong": lambda asked: {"statusCode": "many"},
    "binary": lambda asked: {"statusCode": 201, "body": "/wA=", "isBase64Encoded": True},
    "environment": environment,
}
