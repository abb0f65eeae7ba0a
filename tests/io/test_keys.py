"""API keys as they are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cabstand.api.keyring import Keyring
from cabstand.errors import ConfigError, ConflictError, DataError, StorageError
from cabstand.io import keys, secrets
from cabstand.local.emulator import patches
from cabstand.settings import Settings

NOW = datetime(2023, 3, 1, tzinfo=UTC)


def test_only_the_hash_is_kept(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    plain, kept = keys.make("ann", keys.SCOPES, NOW)
    keys.add(settings, kept)
    text = (tmp_path / "keys.json").read_text()
    assert plain not in text
    assert plain.split("_")[-1] not in text
    assert keys.digest(plain) in text
    assert keys.load(settings) == [kept]
    assert len({keys.make("ann", keys.SCOPES, NOW)[0] for _ in range(100)}) == 100


def test_expiry_and_revocation(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    _, short = keys.make("short", ("predict",), NOW, NOW + timedelta(days=1))
    assert short.valid(NOW)
    assert not short.valid(NOW + timedelta(days=1))
    keys.add(settings, short)
    assert keys.revoke(settings, "short", NOW) == [short.id]
    assert not keys.load(settings)[0].valid(NOW)
    with pytest.raises(ConfigError, match="known: short"):
        keys.revoke(settings, "short", NOW)


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb"])
def test_names(name: str) -> None:
    with pytest.raises(ConfigError):
        keys.make(name, keys.SCOPES, NOW)


ENTRY = {"id": "0a1b2c3d", "name": "ann", "sha256": "0" * 64, "scopes": ["predict"], "created_at": NOW.isoformat()}
NOT_A_KEY_FILE = {
    "empty": b"",
    "a list": b"[]",
    "an empty object": b"{}",
    "another version": b'{"schema_version": 2, "keys": []}',
    "no text": b"\xff\xfe\xfa",
    "cut short": b'{"schema_version": 1, "keys": [{',
    "too deep": b'{"a":' * 100_000,
    "an empty entry": b'{"schema_version": 1, "keys": [{}]}',
} | {
    f"{name} is {value!r}": json.dumps({"schema_version": 1, "keys": [ENTRY | {name: value}]}).encode()
    for name, value in [("id", 7), ("id", []), ("sha256", None), ("scopes", "predict"), ("scopes", 1),
                        ("expires_at", 1.5), ("expires_at", "soon"), ("revoked_at", "2023-03-01"), ("other", 1)]
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_A_KEY_FILE)
def test_what_is_not_a_key_file(kind: str) -> None:
    with pytest.raises(DataError):
        keys.parse(NOT_A_KEY_FILE[kind], "x")


@pytest.mark.parametrize("kind", NOT_A_KEY_FILE)
def test_a_bad_key_file_leaves_the_last_keys_in_force(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path)
    plain, kept = keys.make("ann", keys.SCOPES, datetime.now(UTC))
    keys.add(settings, kept)
    ring = Keyring(lambda: keys.load(settings), refresh_s=0.0)
    ring.refresh()
    good = (tmp_path / "keys.json").read_bytes()
    (tmp_path / "keys.json").write_bytes(NOT_A_KEY_FILE[kind])
    ring.refresh()
    assert ring.find(plain) == kept
    assert "not read, the last ones stay in force" in caplog.text
    (tmp_path / "keys.json").write_bytes(good)
    ring.refresh()
    assert ring.find(plain) == kept


def test_the_first_format_is_read_for_ever() -> None:
    (kept,) = keys.parse((Path(__file__).parents[1] / "formats" / "keys" / "v1.json").read_text(), "v1")
    assert (kept.id, kept.name, kept.scopes) == ("0a1b2c3d", "ann", ("predict",))


@pytest.fixture
def secret(bucket: str) -> Iterator[str]:
    """A secret as Terraform makes it: without a value."""
    import boto3

    patches.apply("moved_label")
    secrets.client.cache_clear()
    yield boto3.client("secretsmanager").create_secret(Name=f"keys-{bucket}")["ARN"]
    secrets.client.cache_clear()


def test_in_secrets_manager(secret: str) -> None:
    import boto3

    client, arn = boto3.client("secretsmanager"), secret
    settings = Settings(api_keys_secret=arn)
    assert keys.load(settings) == []  # made by Terraform, not filled yet
    plain, kept = keys.make("ann", keys.SCOPES, NOW)
    keys.add(settings, kept)
    assert keys.load(settings) == [kept]
    assert plain not in client.get_secret_value(SecretId=arn)["SecretString"]
    assert json.loads(client.get_secret_value(SecretId=arn)["SecretString"])["schema_version"] == 1
    with pytest.raises(StorageError, match="refused"):
        secrets.read(arn.replace("keys-", "other-"))


def test_a_binary_secret_holds_no_keys(secret: str) -> None:
    import boto3

    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretBinary=b"\xff")
    with pytest.raises(DataError):
        keys.load(Settings(api_keys_secret=secret))


def test_a_label_that_another_moved(secret: str) -> None:
    import boto3

    client = boto3.client("secretsmanager")

    def labelled(stage: str) -> Any:
        return client.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]

    secrets.put_if(secret, "one", None)
    with pytest.raises(ConflictError):  # the first of two that found it empty has won
        secrets.put_if(secret, "also first", None)
    found = secrets.read(secret)
    assert found is not None
    assert found[0] == "one"
    secrets.put_if(secret, "two", found[1])
    with pytest.raises(ConflictError):
        secrets.put_if(secret, "late", found[1])
    assert (labelled("AWSCURRENT"), labelled("AWSPREVIOUS")) == ("two", "one")
    # Our own move, whose answer was lost: asked for again it is refused, and has been done.
    current = client.get_secret_value(SecretId=secret)["VersionId"]
    assert secrets.move_label(secret, found[1], current)


@pytest.mark.parametrize("kept", ["file", "secret"])
def test_two_at_once_lose_nothing(tmp_path: Path, kept: str, request: pytest.FixtureRequest) -> None:
    arn = request.getfixturevalue("secret") if kept == "secret" else ""
    settings = Settings(home=tmp_path, api_keys_secret=arn)

    def add(name: str) -> None:
        keys.add(settings, keys.make(name, keys.SCOPES, NOW)[1])

    threads = [threading.Thread(target=add, args=(f"n{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in keys.load(settings)} == {f"n{i}" for i in range(8)}
