"""What a browser would fetch for a page."""

from __future__ import annotations

from html.parser import HTMLParser


class Addresses(HTMLParser):
    """Collects whatever a browser would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "srcset", "href", "action"}]
