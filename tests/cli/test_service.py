"""`keys`, `predict` and `predictions` at the command line: what works, and what wrong words get."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pytest_httpserver import HTTPServer

from cabstand.cli import run
from cabstand.io.predictions import PredictionFiles
from cabstand.settings import Settings
from serving import Server, make_home, make_key, serving

WORDS = ["pickup_zone=74", "dropoff_zone=42", "pickup_at=2023-03-01T08:15:00"]
Said = tuple[int, dict[str, Any], str]
Say = Callable[..., Said]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Type a command; return its code, its JSON line and what it said on stderr."""

    def typed(*words: str) -> Said:
        code = run(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out.splitlines()[-1]) if out.strip() else {}, err

    return typed


def refused(said: Said, *parts: str, code: int = 2) -> None:
    """One line that says what, where, what to do."""
    assert said[0] == code, said
    lines = [line for line in said[2].splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, said
    assert "unexpected" not in lines[0]
    for part in parts:
        assert part in lines[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, str]]:
    home = tmp_path_factory.mktemp("home")
    key = make_home(home)
    with serving(home, home / "server.log") as found:
        yield found, home, key


def test_keys_are_made_listed_and_revoked(say: Say) -> None:
    code, made, _ = say("keys", "create", "ann", "--expires-days", "90", "--scope", "predict")
    assert (code, made["name"], made["scopes"]) == (0, "ann", ["predict"])
    second = say("keys", "create", "ann")[1]
    listed = say("keys", "list")[1]
    assert [one["name"] for one in listed["keys"]] == ["ann", "ann"]
    assert made["key"] not in json.dumps(listed)
    refused(say("keys", "revoke", "ann"), "2 keys are named ann", "give the id", made["id"], second["id"])
    assert [one["valid"] for one in say("keys", "list")[1]["keys"]] == [True, True]
    assert say("keys", "revoke", made["id"])[1]["revoked"] == [made["id"]]  # by id, where two have one name
    assert [one["valid"] for one in say("keys", "list")[1]["keys"]] == [False, True]
    assert say("keys", "revoke", "ann")[1]["revoked"] == [second["id"]]
    refused(say("keys", "revoke", "ann"), "no valid key is named ann", "known: ann")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["", "--expires-days", "1"], "name"),
        (["x", "--expires-days", "0"], "--expires-days"),
        (["x", "--expires-days", "999999999"], "--expires-days"),
        (["x", "--scope", "root"], "unknown scope"),
        (["a\nb"], "printable"),
    ],
)
def test_wrong_words_about_keys(say: Say, words: list[str], part: str) -> None:
    refused(say("keys", "create", *words), part)


def test_a_damaged_key_file(say: Say, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "keys.json").write_text("{")
    refused(say("keys", "list"), "not a key file", "keys.json")
    refused(say("serve", "--port", "0"), "not a key file")


def test_predict_a_row_and_a_file(say: Say, server: tuple[Server, Path, str], tmp_path: Path) -> None:
    running, _, key = server
    code, told, err = say("predict", *WORDS, "--url", running.url, "--key", key)
    assert code == 0
    assert str(told["answers"][0]["duration_min"]) in err
    assert "httpx2" not in err
    rows = ["74,42,2023-03-01T08:15:00"] * 1500 + ["0,42,2023-03-01T08:15:00", "74,,2023-03-01T08:15:00"]
    (tmp_path / "rides.csv").write_text("\n".join(["pickup_zone,dropoff_zone,pickup_at", *rows]))
    code, told, err = say("predict", "--file", str(tmp_path / "rides.csv"), "--url", running.url, "--key", key)
    assert (code, told["n_rows"], told["n_wrong"]) == (0, 1502, 2)
    assert [one["row"] for one in told["errors"]] == [1500, 1501]
    assert told["answers"][1500] is None
    assert "and 1,452 more" in err
    (tmp_path / "rides.csv").write_text("\n".join(["pickup_zone,dropoff_zone,pickup_at", rows[0], rows[1500]]))
    assert (
        "/pickup_zone: " in say("predict", "--file", str(tmp_path / "rides.csv"), "--url", running.url, "--key", key)[2]
    )


def test_addresses_to_listen_on_that_are_none(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CABSTAND_API_KEYS_REQUIRED", "false")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused(say("serve", "--port", str(taken.getsockname()[1])), "cannot listen", "another --port", code=1)
    refused(say("serve", "--host", "192.0.2.1"), "cannot listen", "another --host", code=1)
    refused(say("serve", "--host", "no-such-host.invalid"), "cannot listen", "another --host", code=1)


CSV = {
    "absent": (None, "no such file"),
    "empty": ("", "no rows"),
    "head alone": ("pickup_zone,dropoff_zone,pickup_at\n", "no rows"),
    "more values": ("pickup_zone,dropoff_zone,pickup_at\n1,2,2023-03-01T08:15:00,4\n", "more values"),
    "bytes": ("\udcff\udcfe", "not a readable CSV"),
    "other head": ("a,b\n1,2\n", "/pickup_zone: Field required"),
    "not finite": ("pickup_zone,dropoff_zone,pickup_at\nnan,1e400,2023-03-01T08:15:00\n", "/pickup_zone"),
}


@pytest.mark.parametrize("kind", CSV)
def test_files_that_are_none(say: Say, server: tuple[Server, Path, str], tmp_path: Path, kind: str) -> None:
    text, part = CSV[kind]
    path = tmp_path / "rides.csv"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(say("predict", "--file", str(path), "--url", server[0].url, "--key", server[2]), part)


def test_wrong_words_to_predict(say: Say, server: tuple[Server, Path, str], tmp_path: Path) -> None:
    running, _, key = server
    there = ["--url", running.url, "--key", key]
    refused(say("predict", "pickup_zone", *there), "expected name=value")
    refused(say("predict", *there), "either fields")
    refused(say("predict", *WORDS, "--file", "x.csv", *there), "either fields")
    err = say("predict", "pickup_zone=x", *there)[2]
    assert "/pickup_zone" in err
    assert "batch" not in err
    assert "/rows" not in err
    refused(say("predict", "--problem", "trips", *WORDS, *there), "no problem 'trips'", "iris, trip-duration")
    refused(say("predict", *WORDS, "--url", running.url), "API key", "CABSTAND_API_KEY")
    refused(say("predict", *WORDS, "--url", running.url, "--key", "cab_00000000_x"), "unknown, expired or revoked")
    refused(say("predict", *WORDS, "--url", running.url, "--key", "schlüssel"), "not an API key")
    for url in ("http://127.0.0.1:9", "localhost:8000", "http://[::1", "", "ftp://x", "http://127.0.0.1:99999"):
        refused(say("predict", *WORDS, "--url", url, "--key", key), "no answer", code=1)


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"models": 3}', b'{"models": [{}]}'])
def test_some_other_server(say: Say, httpserver: HTTPServer, answer: bytes) -> None:
    httpserver.expect_request("/v1/models").respond_with_data(answer, content_type="application/json")
    refused(say("predict", *WORDS, "--url", httpserver.url_for("/")), "is it the service's address?", code=1)


def test_the_log_out_and_away(say: Say, server: tuple[Server, Path, str], tmp_path: Path) -> None:
    running, home, _ = server
    key = make_key(Settings(home=home), "log")
    import time
    import urllib.request

    request = urllib.request.Request(
        f"{running.url}/v1/trip-duration/predict",
        b'{"pickup_zone": 74, "dropoff_zone": 42, "pickup_at": "2023-03-01T08:15:00"}',
        {"authorization": "Bearer " + server[2]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        request_id = json.loads(answer.read())["request_id"]
    deadline = time.monotonic() + 10
    files = PredictionFiles(home / "predictions")
    while not any(one["request_id"] == request_id for one in files.read()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CABSTAND_HOME", str(home))
        out = tmp_path / "out.parquet"
        code, told, _ = say("predictions", "export", "--out", str(out))
        assert code == 0
        table = pq.read_table(out)
        assert told["n_rows"] == table.num_rows
        assert request_id in table["request_id"].to_pylist()
        assert {"feature.pickup_zone", "answer.duration_min", "version", "at"} <= set(table.column_names)
        assert say("predictions", "delete", "--request-id", request_id)[1]["n_deleted"] == 1
        assert say("predictions", "delete", "--request-id", request_id)[1]["n_deleted"] == 0
        left = b"".join(path.read_bytes() for path in (home / "predictions").iterdir())
        assert request_id.encode() not in left  # the journal of the service that runs included
        refused(say("predictions", "delete", "--request-id", "../x"), "request id")
        refused(say("predictions", "export", "--since", "yesterday"), "not a date")
        refused(say("predictions", "export", "--source", "s3"), "not one of 'local', 'lake'")
        refused(say("predictions", "export", "--problem", "iris"), "no prediction")
        refused(say("predictions", "export", "--since", "2100-01-01"), "no prediction")
    assert key
