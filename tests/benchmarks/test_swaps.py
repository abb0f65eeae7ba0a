"""What a new bundle every second costs those who ask meanwhile: the 99th percentile beside that of quiet seconds."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from load import flap
from serving import make_home, serving

PAIRS, SECONDS = 7, 6.0


@pytest.mark.bench
def test_swaps_at_most_double_the_slowest_answers(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    with serving(tmp_path, tmp_path / "server.log", CABSTAND_API_REFRESH_S="1") as server:
        flap(server, tmp_path, key, SECONDS)
        pairs = [
            [flap(server, tmp_path, key, SECONDS, moving=moving).p99() * 1e3 for moving in (True, False)]
            for _ in range(PAIRS)
        ]
    ratio = statistics.median(swapping / calm for swapping, calm in pairs)
    swapping, calm = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"\np99 {swapping:.1f} ms with swaps, {calm:.1f} ms without, paired ratio {ratio:.2f} (at most 2)")
    assert ratio <= 2
