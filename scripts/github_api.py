"""What the workflows use of GitHub's API, in memory: comments on a pull request, and the pull request of a commit."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOT = {"login": "github-actions[bot]"}


class Handler(BaseHTTPRequestHandler):
    """Answers requests about one repository, in which every commit was merged by pull request 1."""

    comments: list[dict[str, Any]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        """List comments or pull requests."""
        is_pulls = re.search(r"/commits/\w+/pulls$", self.path)
        self.answer([{"number": 1, "merged_at": "2026-01-01T00:00:00Z"}] if is_pulls else self.comments)

    def do_POST(self) -> None:
        """Add a comment."""
        self.comments.append({"id": len(self.comments), "user": BOT, "body": self.body()})
        self.answer({})

    def do_PATCH(self) -> None:
        """Change a comment."""
        self.comments[int(self.path.rpartition("/")[2])]["body"] = self.body()
        self.answer({})

    def body(self) -> str:
        """Return the comment that was sent."""
        return str(json.loads(self.rfile.read(int(self.headers["content-length"])))["body"])

    def answer(self, content: Any) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no line for each request."""


def serve() -> str:
    """Serve in the background on a free port, and return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
