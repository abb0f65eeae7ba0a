"""What the proving process and the one that started it say to each other: JSON lines one way, blocks the other."""

from __future__ import annotations

import json
from typing import IO, Any

FILES = ("manifest.json", "model.onnx", "assets.npz", "hotspots.npz")
MAX_LINE = 4_096
CPU_S = 4  # of the proving process in all, its start included


def say(stream: IO[bytes], **content: Any) -> None:
    """Send a line."""
    stream.write(json.dumps(content).encode() + b"\n")
    stream.flush()


def parse(line: bytes) -> dict[str, Any]:
    """Return the content of a line; a ValueError if it is none."""
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def give(stream: IO[bytes], data: bytes) -> None:
    """Send a block."""
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def take(stream: IO[bytes]) -> bytes:
    """Return the next block; an EOFError if the other side has gone."""
    head = stream.read(8)
    data = stream.read(int.from_bytes(head, "big"))
    if len(head) < 8 or len(data) < int.from_bytes(head, "big"):
        raise EOFError("the other side has gone")
    return data
