"""A folder appears whole or not at all: on a disk, in S3, after errors, kills and races."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cabstand.errors import ConfigError, DataError, StorageError
from cabstand.io import publish, storage


def put(uri: str, text: str) -> None:
    with publish.folder(uri) as folder:
        (folder / "data").write_text(text)
        publish.write_json(folder / publish.MANIFEST, {"schema_version": 1, "text": text})


def hidden(parent: Path) -> list[str]:
    return [path.name for path in parent.iterdir() if path.name.startswith(".")]


def test_whole_on_disk_and_replaced(tmp_path: Path) -> None:
    target = tmp_path / "lake" / "result"
    for text in ("first", "second"):
        put(str(target), text)
        assert (target / "data").read_text() == text
        assert hidden(target.parent) == []
    assert publish.manifest(str(target), 1) == {"schema_version": 1, "text": "second"}


def test_whole_in_s3_with_the_manifest_last(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    staged = storage.staged
    monkeypatch.setattr(storage, "staged", lambda uri: (order.append(uri), staged(uri))[1])
    put(f"s3://{bucket}/result", "text")
    assert [uri.rsplit("/", 1)[-1] for uri in order] == ["data", "manifest.json"]
    assert publish.manifest(f"s3://{bucket}/result", 1) is not None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "result"
    put(str(target), "old")
    with pytest.raises(error), publish.folder(str(target)) as folder:
        (folder / "data").write_text("new")
        raise error
    assert (target / "data").read_text() == "old"
    assert hidden(tmp_path) == []


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years")
    with pytest.raises(ConfigError):
        put(str(tmp_path / "mine"), "text")
    assert (tmp_path / "mine" / "thesis").read_text() == "years"


def test_what_a_killed_process_left_is_swept_and_the_living_spared(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom cabstand.io import publish\n"
        "with publish.folder(sys.argv[1]) as folder:\n"
        "    (folder / 'data').write_text('half')\n    print('there', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "there\n"
    put(str(tmp_path / "b"), "text")
    assert len(hidden(tmp_path)) == 1, "a living writer's folder is not swept"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not (tmp_path / "a").exists()
    put(str(tmp_path / "c"), "text")
    assert hidden(tmp_path) == []


def test_two_writers_of_one_result(tmp_path: Path) -> None:
    target = str(tmp_path / "result")
    with publish.folder(target) as folder:
        put(target, "the other")
        publish.write_json(folder / publish.MANIFEST, {"schema_version": 1, "text": "mine"})
    assert publish.manifest(target, 1) == {"schema_version": 1, "text": "mine"}
    assert hidden(tmp_path) == []


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="not a directory"):
        put(str(tmp_path / "file" / "lake" / "result"), "text")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema_version": 2}', '{"schema_version": "1"}'])
def test_manifest_of_another_kind(tmp_path: Path, content: str) -> None:
    (tmp_path / publish.MANIFEST).write_text(content)
    with pytest.raises(DataError):
        publish.manifest(str(tmp_path), 1)
    assert publish.manifest(str(tmp_path / "absent"), 1) is None
