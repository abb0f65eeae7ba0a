"""What holds of the policy for any windows, in any order, by any clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from cabstand.monitoring.findings import Quality, Window
from cabstand.monitoring.policy import Decision, Rules, decide
from monitor_windows import BAD, DAY, THEN, about, quality, window

RANK = {"none": 0, "watch": 1, "retrain": 2}
SKEWS = (timedelta(hours=-2), timedelta(0), timedelta(days=1))
rules_of = st.builds(
    Rules,
    min_rows=st.just(5_000),
    breaches=st.integers(1, 4),
    cooldown=st.integers(0, 10).map(lambda days: days * DAY),
    use_estimate=st.booleans(),
)
qualities = st.one_of(
    st.none(),
    st.sampled_from([THEN, BAD]),
    st.builds(quality, st.floats(2, 6), st.floats(-3, 3), st.floats(0.5, 1), st.integers(4_000, 9_000)),
)
distances_of = st.lists(st.floats(0, 0.3), min_size=2, max_size=4)


@st.composite
def windows_of(draw: st.DrawFn) -> Window:
    estimated = draw(st.none() | st.floats(2, 6).map(lambda value: about(value, 0.03)))
    n = draw(st.sampled_from([100, 4_999, 5_000, 50_000]))
    version = draw(st.sampled_from(["v1", "v1", "v2"]))
    return window(
        draw(st.integers(0, 12)), draw(qualities), distances=draw(distances_of), n=n, version=version,
        estimated=estimated, volume=draw(st.none() | st.floats(0.2, 4)),
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Window], list[Decision], Rules]:
    """Windows delivered in any order, some twice, by clocks that are two hours behind or a day ahead."""
    rules, past = draw(rules_of), list[Decision]()
    delivered = draw(st.lists(windows_of(), max_size=14))
    for one in delivered:
        late = timedelta(days=draw(st.integers(0, 3)), hours=1)
        past.append(decide(one, past, rules, one.end + late + draw(st.sampled_from(SKEWS))))
    return delivered, past, rules


@given(histories())
def test_no_two_retrainings_within_the_cool_down(history: tuple[list[Window], list[Decision], Rules]) -> None:
    _, past, rules = history
    asked = {one.key: one for one in past if one.action == "retrain"}
    for one, other in pairwise(asked.values()):
        assert other.at - one.at >= rules.cooldown
        assert other.end - one.end >= rules.cooldown


@given(st.lists(st.sampled_from(SKEWS), min_size=30, max_size=30), st.integers(0, 10), st.integers(1, 3))
def test_a_wrong_clock_brings_no_two_retrainings_closer(skews: list[timedelta], days: int, breaches: int) -> None:
    """Each window is decided on an hour after its end, true time: the clock that is read is wrong."""
    rules, past, true = Rules(cooldown=days * DAY, breaches=breaches), list[Decision](), []
    for number, skew in enumerate(skews):
        one = window(number / 2, BAD)
        past.append(decide(one, past, rules, one.end + timedelta(hours=1) + skew))
        true += [one.end] * (past[-1].action == "retrain")
    assert true
    assert all(later - earlier >= rules.cooldown for earlier, later in pairwise(true))


@given(histories())
def test_never_below_the_window(history: tuple[list[Window], list[Decision], Rules]) -> None:
    delivered, past, rules = history
    first = {decision.key: (one, decision) for one, decision in reversed([*zip(delivered, past, strict=True)])}
    for one, decision in first.values():
        if one.drift.n_current < rules.min_rows:
            assert decision.breaches == 0
            assert decision.action == "none"
        if decision.action == "retrain":
            assert rules.use_estimate or (one.quality is not None and one.quality.n >= rules.min_rows)


@given(histories(), windows_of(), st.data())
def test_order_and_duplicates_of_the_past_do_not_matter(
    history: tuple[list[Window], list[Decision], Rules], new: Window, data: st.DataObject
) -> None:
    _, past, rules = history
    shuffled = data.draw(st.permutations(past + past[: data.draw(st.integers(0, len(past)))]))
    now = new.end + DAY
    plain, other = decide(new, past, rules, now), decide(new, shuffled, rules, now)
    assert (plain.action, plain.breaches, plain.key) == (other.action, other.breaches, other.key)


@given(histories(), windows_of())
def test_a_window_that_comes_again_gets_its_decision_again(
    history: tuple[list[Window], list[Decision], Rules], new: Window
) -> None:
    _, past, rules = history
    first = decide(new, past, rules, new.end)
    assert decide(new, [*past, first], rules, new.end + 30 * DAY) == first


@given(histories(), windows_of(), distances_of)
def test_more_distance_never_means_less_action(
    history: tuple[list[Window], list[Decision], Rules], new: Window, more: list[float]
) -> None:
    _, past, rules = history
    columns = tuple(
        replace(one, distance=(one.distance or 0) + extra, drifted=(one.distance or 0) + extra >= one.threshold)
        for one, extra in zip(new.drift.columns, [*more, 0, 0, 0, 0], strict=False)
    )
    further = replace(new, drift=replace(new.drift, columns=columns))
    near, far = (decide(one, past, rules, new.end) for one in (new, further))
    assert RANK[near.action] <= RANK[far.action]


@given(histories(), windows_of(), st.floats(0, 3), st.floats(0, 0.3))
def test_a_worse_model_never_means_less_action(
    history: tuple[list[Window], list[Decision], Rules], new: Window, error: float, coverage: float
) -> None:
    _, past, rules = history

    def worse(one: Quality) -> Quality:
        assert one.coverage is not None
        return replace(
            one,
            mae=about(one.mae.value + error, 0.03),
            bias=about(one.bias.value + error * (1 if one.bias.value > 0 else -1), 0.03),
            coverage=about(one.coverage.value - coverage, 0.003),
        )

    if new.quality is not None:
        good, bad = (decide(replace(new, quality=q), past, rules, new.end) for q in (new.quality, worse(new.quality)))
        assert RANK[good.action] <= RANK[bad.action]


@given(st.lists(st.booleans(), min_size=1, max_size=4), st.integers(1, 3))
def test_in_any_order_of_delivery_a_full_run_asks_once(bad: list[bool], breaches: int) -> None:
    """Retraining is asked for in every order if the windows, all known, have the run; never twice."""
    rules = Rules(breaches=breaches, cooldown=100 * DAY)
    windows = [window(day, BAD if one else THEN) for day, one in enumerate(bad)]
    has_run = any(all(bad[i : i + breaches]) for i in range(len(bad) - breaches + 1))
    for order in permutations(windows):
        past: list[Decision] = []
        for one in (*order, *order):
            past.append(decide(one, past, rules, windows[-1].end + timedelta(hours=len(past))))
        asked = {one.key for one in past if one.action == "retrain"}
        assert len(asked) <= 1
        if has_run:
            assert asked
