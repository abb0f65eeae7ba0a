"""How two plans are compared: what leads to the same change has the same digest, and no value is printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabstand.account.plan_changes import Change, changes, digests, headline, listing


def resource(address: str = "aws_x.a", **change: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "change": {"actions": ["update"]} | change}


def only(tag: str = "", **change: Any) -> Change:
    (found,) = changes({"resource_changes": [resource(**change)]}, tag=tag)
    return found


def test_an_update_names_what_it_changes_but_no_value() -> None:
    before, after = {"a": 1, "b": "old", "c": 3}, {"a": 1, "b": "new"}
    found = only(before=before, after=after, after_unknown={"arn": True})
    assert str(found) == f"{found.digest} update  aws_x.a  (arn, b, c)"


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["create"], "create"),
        (["delete"], "delete"),
        (["delete", "create"], "replace"),
        (["create", "delete"], "replace"),
        (["forget"], "forget"),
    ],
)
def test_actions(actions: list[str], action: str) -> None:
    assert only(actions=actions, before={}, after={}).action == action


def test_what_stays_is_no_change() -> None:
    same = [resource(actions=["no-op"]), resource(actions=["read"]), resource() | {"mode": "data"}]
    assert changes({"resource_changes": same}) == []
    assert headline([]) == "no changes"
    assert only(actions=["no-op"], importing={"id": "x"}).action == "import"


def test_values_before_the_change_and_the_tag_do_not_matter() -> None:
    reviewed = only("1111", before={"image": "batch:0000"}, after={"image": "batch:1111"})
    released = only("2222", before={"image": "batch:0001"}, after={"image": "batch:2222"})
    assert reviewed.digest == released.digest
    assert released.digest != only("2222", after={"image": "batch:3333"}).digest


def test_a_sensitive_value_is_not_in_the_digest() -> None:
    marked = {"name": False, "pairs": [{"value": True}]}

    def digest(name: str, value: str) -> str:
        return only(after={"name": name, "pairs": [{"value": value}]}, after_sensitive=marked).digest

    assert digest("a", "one") == digest("a", "two") != digest("b", "two")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v) | st.dictionaries(st.text(max_size=3), v),
    max_leaves=6,
)
afters = st.dictionaries(st.text(max_size=3), values, max_size=3)


@given(one=afters, other=afters)
def test_digests_are_equal_only_for_equal_changes(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (only(after=one).digest == only(after=other).digest) == same


def test_a_listing_is_read_back() -> None:
    plan = {"resource_changes": [resource('aws_x.a["b c"]', after={"x": 1}), resource("aws_x.b", actions=["create"])]}
    found = changes(plan)
    assert digests(f"text\n\n```\n{listing(found)}\n```\n") == {one.digest for one in found}
    assert headline(found) == "1 to create, 1 to update"
    assert digests("0123456789abcdef0 create x\n 0123456789abcdef create x\nfedcba9876543210") == set()
