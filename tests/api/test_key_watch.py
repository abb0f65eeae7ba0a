"""The watch for keys in logs sees one that is planted."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from cabstand.io import keys
from key_watch import KeyWatch


def test_a_planted_key_is_found(tmp_path: Path) -> None:
    watch = KeyWatch()
    # Not by way of `keys.make`, which the watch over this very run has its eye on.
    key = f"cab_01234567_{'planted' * 6}x"
    watch.made(key)
    logger = logging.getLogger("planted")
    logger.addHandler(watch)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.info("nothing")
    assert not watch.told
    logger.info("in a message: %s", key)
    logger.info("in a field", extra={"headers": {"x-api-key": key}})
    try:
        raise ValueError(key)
    except ValueError:
        logger.exception("in an exception")
    assert watch.told == ["planted"] * 3
    (tmp_path / "deep").mkdir()
    (tmp_path / "clean.log").write_text("cab_01234567_")
    assert not list(watch.found_below(tmp_path))
    (tmp_path / "deep" / "server.log").write_text(f"a line\n{{'key': '{key}'}}\n")
    assert [path.name for path in watch.found_below(tmp_path)] == ["server.log"]


def test_every_key_of_this_run_is_watched(key_watch: KeyWatch) -> None:
    key, _ = keys.make("watched", keys.SCOPES, datetime.now(UTC))
    assert key_watch.held_in(key.encode())
    assert key_watch in logging.getLogger().handlers
