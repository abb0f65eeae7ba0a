"""Names of columns as publishers and people spell them."""

from __future__ import annotations

import pytest

from cabstand.errors import ConfigError, DataError
from cabstand.trips import columns, eras
from cabstand.trips.columns import Named


def test_columns_of_every_era() -> None:
    assert columns.choose(["Date/Time", "Lat", "Lon", "Base"], "pickup").named == ["Lat", "Lon", "Date/Time"]
    assert columns.choose(["Start_Lon", "Start_Lat"], "pickup").latitude == "Start_Lat"
    assert columns.choose(["Pickup_longitude", "Pickup_latitude"], "pickup").longitude == "Pickup_longitude"
    assert columns.choose(["pickup_lat", "pickup_lon", "pickup_at", "n"], "pickup", weight="n").weight == "n"
    assert columns.choose(["DOLocationID"], "dropoff").zone == "DOLocationID"
    with pytest.raises(DataError):
        columns.choose(["a", "b"], "pickup")
    with pytest.raises(ConfigError):
        columns.choose(["lat", "lon"], "pickup", weight="n")


@pytest.mark.parametrize(
    ("latitude", "longitude", "time"),
    [
        ("start_lat", "start_lng", "started_at"),
        ("start station latitude", "start station longitude", "starttime"),
        ("Pickup Centroid Latitude", "Pickup Centroid Longitude", "Trip Start Timestamp"),
        ("pickup_latitude", "pickup_longitude", "pickup_datetime"),
        ("Start_Lat", "Start_Lon", "PICKUP_DATETIME"),
        ("lat", "long", "t"),
        ("LATITUDE", "LONGITUDE", "Timestamp"),
        ("geo_lat", "geo_lng", "time"),
        ("origin_latitude", "origin_longitude", "pickup_time"),
        ("latitude_start", "longitude_start", "start_time"),
    ],
)
def test_names_that_publishers_give(latitude: str, longitude: str, time: str) -> None:
    names = [time, longitude, "extra", latitude]
    chosen = columns.choose(names, "pickup")
    assert (chosen.latitude, chosen.longitude, chosen.time) == (latitude, longitude, time)
    assert eras.detect(names, "uber").columns == {"pickup_at": time, "pickup_lat": latitude, "pickup_lon": longitude}


@pytest.mark.parametrize(
    ("latitude", "longitude", "time"),
    [
        ("end_lat", "end_lng", "ended_at"),
        ("Dropoff Centroid Latitude", "Dropoff Centroid Longitude", "Trip End Timestamp"),
        ("end station latitude", "end station longitude", "stoptime"),
        ("destination_lat", "destination_lon", "dropoff_time"),
    ],
)
def test_names_of_the_other_end(latitude: str, longitude: str, time: str) -> None:
    chosen = columns.choose(["lat", "lon", "t", time, longitude, latitude], "dropoff")
    assert (chosen.latitude, chosen.longitude, chosen.time) == (latitude, longitude, time)


def test_the_tlc_s_own_names_in_snake_case() -> None:
    names = ["pickup_datetime", "dropoff_datetime", "pickup_location_id", "dropoff_location_id", "trip_distance"]
    era = eras.detect([*names, "passenger_count", "data_file_month"], "green")
    assert era.name == "zones"
    assert era.columns["pickup_zone"] == "pickup_location_id"
    assert era.columns["dropoff_zone"] == "dropoff_location_id"
    assert columns.choose(["pu_location_id"], "pickup").zone == "pu_location_id"


def test_the_user_s_names_go_before_the_known_ones() -> None:
    names = ["lat", "lon", "t", "breite", "laenge", "zeit"]
    named = Named("breite", "laenge", "zeit")
    assert columns.choose(names, "pickup", named=named).named == ["breite", "laenge", "zeit"]
    assert eras.detect(names, "uber", named).columns["pickup_at"] == "zeit"
    for wrong, told in ((Named("breit", "laenge"), "no column 'breit'"), (Named("breite"), "name both")):
        with pytest.raises(ConfigError, match=told):
            columns.choose(names, "pickup", named=wrong)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["2014-04-01 00:00:00", "40.75", "-73.98"], "first line holds values"),
        (["t:lat:lon"], "not separated by"),
        (["lat", "t"], "lat is there, but not its counterpart"),
        (["when", "y", "x"], "--lat-column and --lon-column"),
    ],
)
def test_the_hint_follows_from_the_case(names: list[str], hint: str) -> None:
    with pytest.raises(DataError, match="no latitude and longitude of a pickup among the columns") as caught:
        columns.choose(names, "pickup")
    assert hint in str(caught.value)


ZONES = ["PULocationID", "DOLocationID", "trip_distance"]


@pytest.mark.parametrize(
    ("dataset", "names", "real"),
    [
        ("yellow", ["lpep_pickup_datetime", "lpep_dropoff_datetime", *ZONES], "green"),
        ("green", ["tpep_pickup_datetime", "tpep_dropoff_datetime", *ZONES], "yellow"),
        ("yellow", ["Lpep_dropoff_datetime", "lpep_pickup_datetime", *ZONES, "Ehail_fee"], "green"),
        ("green", ["Trip_Pickup_DateTime", "Trip_Dropoff_DateTime", "Start_Lat", "Start_Lon"], "yellow"),
        ("yellow", ["pickup_datetime", "dropoff_datetime", *ZONES, "trip_type", "ehail_fee"], "green"),
        ("green", ["pickup_datetime", "dropoff_datetime", *ZONES, "airport_fee"], "yellow"),
        ("uber", ["tpep_pickup_datetime", "pickup_latitude", "pickup_longitude"], "yellow"),
    ],
)
def test_a_file_of_another_data_set_is_refused(dataset: str, names: list[str], real: str) -> None:
    with pytest.raises(DataError, match=f"holds {real} trips, .*--dataset {real}"):
        eras.detect(names, dataset)
