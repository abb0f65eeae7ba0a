"""How Lambda's part decides: weights, environments, batches of log lines, what the runtime emulator answers."""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

import gateway_account
from cabstand.local.functions import deployed, invocation
from cabstand.local.functions.deployed import Target, choose
from cabstand.local.functions.environment import Environment
from cabstand.local.functions.fresh import Fresh
from cabstand.local.functions.invocation import RefusedError
from cabstand.local.functions.log_writer import MOST_BYTES, MOST_EVENTS, OVERHEAD_BYTES, batches
from cabstand.local.functions.pool import SPARE_S, Pool
from gateway_account import NAME, Account, zipped


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with gateway_account.account() as found:
        found.make_function("3.13")
        yield found


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_of_the_requests_goes_to_the_new_version(seed: int) -> None:
    generator, n, share = random.Random(seed), 5_000, 0.1
    seen = Counter(choose({"1": 1 - share, "2": share}, generator) for _ in range(n))
    assert abs(seen["2"] - n * share) <= 3 * math.sqrt(n * share * (1 - share))


def test_an_alias_is_its_versions_with_their_shares(account: Account) -> None:
    client = account.client("lambda")
    client.update_function_code(FunctionName=NAME, ZipFile=zipped(more="1"))
    second = client.publish_version(FunctionName=NAME)["Version"]
    weights = {"AdditionalVersionWeights": {second: 0.25}}
    client.update_alias(FunctionName=NAME, Name="live", FunctionVersion="1", RoutingConfig=weights)
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=0)
    assert deployed.target(client, NAME, "live") == Target({"1": 0.75, second: 0.25}, 0)
    client.delete_function_concurrency(FunctionName=NAME)
    assert deployed.target(client, NAME, "$LATEST") == Target({"$LATEST": 1.0}, None)


@pytest.mark.parametrize(("name", "qualifier"), [(NAME, "gone"), ("other", "live"), ("other", "1")])
def test_an_unknown_function_or_alias_is_refused(account: Account, name: str, qualifier: str) -> None:
    with pytest.raises(RefusedError, match="Function not found") as caught:
        deployed.target(account.client("lambda"), name, qualifier)
    assert (caught.value.code, caught.value.status) == ("ResourceNotFoundException", 404)


def test_an_unknown_version_is_refused(account: Account) -> None:
    with pytest.raises(RefusedError, match="Function not found"):
        deployed.version(account.client("lambda"), NAME, "99")


def test_each_version_has_the_zip_that_was_published(account: Account, tmp_path: Path) -> None:
    client = account.client("lambda")
    client.update_function_code(FunctionName=NAME, ZipFile=zipped(**{"changed.py": "A = 1"}))
    trees = {
        number: deployed.unpacked(account.client, deployed.version(client, NAME, number), tmp_path)
        for number in ("1", "$LATEST")
    }
    assert not (trees["1"] / "changed.py").exists()
    assert (trees["$LATEST"] / "changed.py").read_text() == "A = 1"
    assert deployed.unpacked(account.client, deployed.version(client, NAME, "1"), tmp_path) == trees["1"]


def test_a_zip_in_a_bucket_is_the_one_that_was_there_at_the_time(account: Account, tmp_path: Path) -> None:
    bucket, client = account.client("s3"), account.client("lambda")
    bucket.create_bucket(Bucket="packages")
    bucket.put_object(Bucket="packages", Key="a.zip", Body=zipped(**{"first.py": ""}))
    client.create_function(
        FunctionName="stored", Role="arn:aws:iam::123456789012:role/small", Runtime="python3.13",
        Handler="small_handler.handler", Code={"S3Bucket": "packages", "S3Key": "a.zip"}, Publish=True,
    )  # fmt: skip
    bucket.put_object(Bucket="packages", Key="a.zip", Body=zipped(**{"second.py": ""}))
    tree = deployed.unpacked(account.client, deployed.version(client, "stored", "1"), tmp_path)
    assert (tree / "first.py").exists()
    assert not (tree / "second.py").exists()


class Stub:
    """An environment that runs nothing."""

    def __init__(self, key: str) -> None:
        self.key, self.stopped, self.used_at = key, 0, time.monotonic()

    @property
    def is_usable(self) -> bool:
        return not self.stopped

    @property
    def has_ended(self) -> bool:
        return bool(self.stopped)

    def stop(self) -> None:
        self.stopped += 1


def starter(key: str, made: list[Stub]) -> Callable[[], Environment]:
    def start() -> Environment:
        made.append(Stub(key))
        return cast(Environment, made[-1])

    return start


def test_no_environment_has_two_requests_and_there_are_no_more_than_allowed() -> None:
    pool, made, busy, lock = Pool(most=3), cast(list[Stub], []), Counter[int](), threading.Lock()

    def request(i: int) -> int:
        key = f"version {i % 2}"
        with pool.lent(key, None, starter(key, made)) as environment:
            assert environment.key == key
            with lock:
                busy[id(environment)] += 1
                seen = busy[id(environment)], sum(busy.values())
            time.sleep(0.002)
            with lock:
                busy[id(environment)] -= 1
        assert seen[0] == 1
        return seen[1]

    with ThreadPoolExecutor(12) as threads:
        most = max(threads.map(request, range(120)))
    assert most == 3
    pool.close()
    assert [one.stopped for one in made] == [1] * len(made)


def test_two_versions_do_not_end_each_other_s_environments() -> None:
    """As in a canary: more requests at once than there may be environments."""
    pool, made = Pool(most=4), cast(list[Stub], [])

    def request(i: int) -> None:
        key = "new" if i % 10 == 0 else "old"
        with pool.lent(key, None, starter(key, made)) as environment:
            time.sleep(0.002)
            environment.used_at = time.monotonic()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(request, range(300)))
    assert len(made) <= 5  # one of the old version may make room for the first of the new one
    pool.close()


def test_an_environment_that_is_long_idle_makes_room_for_another_version() -> None:
    pool, made = Pool(most=2), cast(list[Stub], [])
    for key in ("old", "new"):
        with pool.lent(key, None, starter(key, made)):
            pass
    made[0].used_at -= SPARE_S
    with pool.lent("new", None, starter("new", made)), pool.lent("new", None, starter("new", made)):
        assert [(one.key, one.stopped) for one in made] == [("old", 1), ("new", 0), ("new", 0)]
    pool.close()


def test_reserved_concurrency_counts_requests() -> None:
    pool, made = Pool(most=4), cast(list[Stub], [])
    with pool.lent("a", 1, starter("a", made)), pytest.raises(RefusedError, match="Rate Exceeded"):  # noqa: SIM117
        with pool.lent("a", 1, starter("a", made)):
            pass
    with pool.lent("a", 1, starter("a", made)):
        assert len(made) == 1
    with pytest.raises(RefusedError, match="Rate Exceeded"), pool.lent("a", 0, starter("a", made)):
        pass


def test_an_environment_that_does_not_start_leaves_its_place_free() -> None:
    pool, made = Pool(most=1), cast(list[Stub], [])

    def fail() -> Environment:
        raise OSError("no memory")

    for _ in range(3):
        with pytest.raises(OSError, match="no memory"), pool.lent("a", None, fail):
            pass
    with pool.lent("a", None, starter("a", made)):
        pass
    pool.reap(idle_s=0)
    assert made[0].stopped == 1


@given(st.lists(st.sampled_from([10, 100_000, 200_000]), max_size=60))
def test_batches_keep_the_lines_in_order_and_under_the_limits(sizes: list[int]) -> None:
    events: list[Any] = [{"timestamp": i, "message": "x" * size} for i, size in enumerate(sizes)]
    found = batches(events)
    assert [event for batch in found for event in batch] == events
    assert all(sum(len(one["message"]) + OVERHEAD_BYTES for one in batch) <= MOST_BYTES for batch in found)
    assert len(batches([{"timestamp": 1, "message": "x"}] * (MOST_EVENTS + 1))) == 2


def test_what_the_runtime_emulator_answers() -> None:
    own = json.dumps({"errorType": "ValueError", "errorMessage": "bad", "requestId": "r1", "stackTrace": []}).encode()
    assert invocation.read("1", 200, own, "r1").error == "Unhandled"
    assert invocation.read("1", 200, own, "r2").error is None  # a function's answer that only looks like an error
    timed_out = invocation.read("1", 200, b"Task timed out after 2.00 seconds", "r1")
    assert (timed_out.timed_out, timed_out.error_message) == (
        True,
        "RequestId: r1 Error: Task timed out after 2.00 seconds",
    )
    assert invocation.read("1", 200, b'"Task timed out after 2.00 seconds"', "r1").error is None
    assert invocation.read("1", 502, b'{"errorType":"Runtime.ExitError"}', "r1").error == "Unhandled"


def test_a_value_is_read_again_once_it_is_old() -> None:
    reads: list[int] = []

    def read() -> int:
        reads.append(len(reads))
        return reads[-1]

    kept = Fresh(read, age_s=0.05)
    assert [kept.get() for _ in range(10)] == [0] * 10
    time.sleep(0.11)
    assert kept.get() == 1
    assert not Fresh(read).is_recent


def test_the_last_value_stays_while_the_emulator_is_away(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = ["first", *[EndpointConnectionError(endpoint_url="http://127.0.0.1:1")] * 2, "second"]

    def read() -> str:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return str(found)

    kept, seen = Fresh(read, age_s=0.01), []
    for _ in range(4):
        seen.append(kept.get())
        time.sleep(0.03)
    assert seen == ["first", "first", "first", "second"]
    assert len([one for one in caplog.messages if "does not answer" in one]) == 1
