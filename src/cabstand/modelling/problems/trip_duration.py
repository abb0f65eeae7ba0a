"""How long a taxi ride takes, predicted before it starts.

Only what is known before the ride is a feature: zones and the time of pick-up. The metered distance is not; the second
problem takes the planned route's distance from the caller, and is trained on the metered one instead.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cabstand.modelling.problem import Candidate, Field, Problem, Target
from cabstand.modelling.rides import examples, features, pair_means
from cabstand.tlc import LAST_ZONE

FIELDS = (
    Field("pickup_zone", "integer", "", 1, LAST_ZONE, "TLC taxi zone of the pick-up (LocationID).", example=74),
    Field("dropoff_zone", "integer", "", 1, LAST_ZONE, "TLC taxi zone of the drop-off (LocationID).", example=42),
    Field(
        "pickup_at",
        "timestamp",
        "",
        None,
        None,
        "Pick-up, New York local time, no zone.",
        example="2023-03-01T08:15:00",
    ),
)
DISTANCE = Field(
    "distance_km", "number", "km", 0, 200, "Length of the planned route, as the caller knows it.", example=3.2
)


def candidates(n_features: int = len(features.FEATURES)) -> list[Candidate]:
    """Return the estimators to try: the one-hot linear reference, ridge, random forest, gradient boosting."""
    from cabstand.modelling import estimators
    from cabstand.modelling.coded import CodedRidge

    numeric = tuple(range(4, n_features))
    return [
        Candidate("linear-one-hot", lambda seed: CodedRidge(coded=(0, 1))),
        Candidate("ridge", lambda seed: CodedRidge(coded=(0, 1, 2, 3), numeric=numeric, alpha=1.0), {"alpha": 1.0}),
        Candidate("random-forest", estimators.forest, cost=estimators.FOREST_COST),
        *estimators.boosting_candidates(),
    ]


PROBLEM = Problem(
    name="trip-duration",
    task="regression",
    description="Minutes that a taxi ride takes, from its zones and the time of pick-up, known before the ride.",
    fields=FIELDS,
    target=Target("duration_min", "min", "Minutes from pick-up to drop-off.", minimum=0.0),
    feature_names=features.FEATURES,
    features=features.features,
    load=examples.load,
    candidates=candidates,
    metric="mae",
    learn=pair_means.learn,
    prepare=features.prepare,
    coverage=0.9,
    extras=("zones",),
)
WITH_DISTANCE = replace(
    PROBLEM,
    name="trip-duration-distance",
    description="Minutes that a taxi ride takes, when the caller also knows the length of the route.",
    fields=(*FIELDS, DISTANCE),
    feature_names=(*features.FEATURES, "distance_km"),
    features=features.features_with_distance,
    load=partial(examples.load, distance=True),
    candidates=partial(candidates, len(features.FEATURES) + 1),
)
