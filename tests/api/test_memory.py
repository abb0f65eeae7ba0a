"""Memory goes back to the system once a model is replaced."""

from __future__ import annotations

import subprocess
import sys
import weakref

import numpy as np
import psutil
import pytest

from cabstand.api.memory import give_back
from cabstand.api.routes.hotspots import summary
from cabstand.clustering.core_index import CoreIndex

glibc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries decide by themselves")
BLOCK = 50_000  # bytes: taken from the heap, not mapped one by one


THREADS = """
import ctypes, threading
from cabstand.api.memory import share_heap
{}
for _ in range(4):
    thread = threading.Thread(target=lambda: [bytearray(50_000) for _ in range(10)])
    thread.start()
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@glibc
@pytest.mark.parametrize(("call", "heaps"), [("share_heap()", 1), ("", 2)])
def test_threads_share_the_first_heap(call: str, heaps: int) -> None:
    done = subprocess.run([sys.executable, "-c", THREADS.format(call)], capture_output=True, text=True, check=True)
    assert done.stderr.count("Arena ") == heaps


@glibc
def test_free_blocks_between_others_are_given_back() -> None:
    process = psutil.Process()
    blocks = [bytearray(BLOCK) for _ in range(2_000)]
    kept = blocks[::100]
    full = process.memory_info().rss
    blocks.clear()
    give_back()
    assert process.memory_info().rss < full - 0.8 * 2_000 * BLOCK
    assert len(kept) == 20


def test_hotspots_go_with_the_model_that_had_them() -> None:
    index = CoreIndex.build([(40.7, -74.0), (40.8, -73.9)], np.array([0, 1]), 50.0)
    assert summary(index) is summary(index)
    gone = weakref.ref(index)
    del index
    assert gone() is None
