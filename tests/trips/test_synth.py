from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cabstand.clustering.dbscan import dbscan
from cabstand.trips.synthetic import generator
from cabstand.trips.synthetic.zones import synthetic_zones


def make(**options) -> tuple[pa.Table, dict]:
    plan = generator.Plan(**({"trips": 20_000, "seed": 3} | options))
    planted = generator.Planted(plan)
    return pa.Table.from_batches(list(generator.generate(plan, planted))), planted.as_dict()


def minutes(trips: pa.Table) -> np.ndarray:
    ends = (np.asarray(trips[name]).astype("datetime64[s]") for name in ("dropoff_at", "pickup_at"))
    return np.subtract(*ends).astype(float) / 60


def test_same_seed_same_trips():
    assert make()[0].equals(make()[0])
    assert not make()[0].equals(make(seed=4)[0])


def test_planted_hotspots_are_found_again():
    trips, planted = make(trips=60_000)
    points = np.column_stack([trips["pickup_lat"], trips["pickup_lon"]])
    found = dbscan(points, planted["recommended"]["eps_m"], planted["recommended"]["min_samples"])
    labels = np.asarray(found.labels)
    centres = np.array([points[labels == label].mean(axis=0) for label in range(found.n_clusters)])
    for hotspot in planted["hotspots"]:
        offset = (centres - [hotspot["lat"], hotspot["lon"]]) * [111_195, 111_195 * np.cos(np.radians(40.7))]
        assert np.hypot(*offset.T).min() < 50, hotspot["name"]


def test_weights_are_what_was_planted():
    trips, planted = make(trips=50_000)
    counted = sum(hotspot["n_trips"] for hotspot in planted["hotspots"]) / trips.num_rows
    assert counted == pytest.approx(generator.RANK_SHARE, abs=0.01)
    assert sum(hotspot["weight"] for hotspot in planted["hotspots"]) == pytest.approx(generator.RANK_SHARE)


def test_trips_look_like_trips():
    trips, _ = make()
    ride = minutes(trips)
    assert ride.min() >= 1
    assert 6 < np.median(ride) < 25
    assert 2 < np.median(trips["distance_km"]) < 8
    hour = np.asarray(trips["pickup_at"]).astype("datetime64[h]").astype(int) % 24
    assert (hour == 18).sum() > 3 * (hour == 4).sum()
    logs = np.log(np.asarray(trips["distance_km"])), np.log(ride)
    assert np.corrcoef(logs)[0, 1] > 0.8
    places = np.column_stack([trips["pickup_lat"], trips["pickup_lon"]])
    assert len(np.unique(places, axis=0)) < 0.99 * len(places)


def test_zone_era_names_its_own_zones():
    trips, _ = make(era="zones")
    zones = synthetic_zones()
    ids = np.asarray(zones.table["LocationID"])
    assert zones.synthetic
    assert set(np.unique(trips["pickup_zone"])) <= set(ids)
    assert ids.tolist() == list(range(1, 264))
    assert trips["pickup_lat"].null_count == trips.num_rows


def test_drift_is_planted():
    usual, slow = make()[0], make(slowdown=1.4)[0]
    assert np.median(minutes(slow)) == pytest.approx(1.4 * np.median(minutes(usual)), rel=0.02)
    moved = make(hotspot_shift_m=500)[1]["hotspots"][0]
    assert moved["lat"] != make()[1]["hotspots"][0]["lat"]
    boosted = make(airport_factor=5)[1]["hotspots"]
    airports = sum(hotspot["weight"] for hotspot in boosted if hotspot["profile"] == "airport")
    assert airports > 0.15
    late = np.asarray(make(hour_shift=6)[0]["pickup_at"]).astype("datetime64[h]").astype(int) % 24
    assert np.bincount(late, minlength=24).argmin() == 10  # four in the morning, six hours later


@pytest.mark.parametrize("era", ["coordinates", "zones"])
def test_bad_rows_are_counted(era: str):
    planted = make(era=era, bad_share=0.1)[1]
    assert sum(planted["bad_rows"].values()) == pytest.approx(2_000, rel=0.15)
    assert ("coordinates_zero" in planted["bad_rows"]) == (era == "coordinates")
