"""GeoDBSCAN of geopandas' tables."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cabstand import GeoDBSCAN

LATLON = np.repeat([[40.758, -73.9855], [40.6413, -73.7781]], 10, axis=0) + np.linspace(0, 1e-4, 20)[:, None]
LABELS = [0] * 10 + [1] * 10


def frame(crs: object = 4326) -> gpd.GeoDataFrame:
    points = gpd.points_from_xy(LATLON[:, 1], LATLON[:, 0])
    return gpd.GeoDataFrame({"n": range(20)}, geometry=points, crs=4326).to_crs(crs)


@pytest.mark.parametrize("crs", [4326, "OGC:CRS84", 2263, 3857, 32618, 4269])
def test_points_of_any_crs(crs: object) -> None:
    model = GeoDBSCAN(eps_m=50, min_samples=3)
    assert model.fit_predict(frame(crs)).tolist() == LABELS
    np.testing.assert_allclose(model.components_, LATLON, atol=1e-6)
    assert not hasattr(model, "feature_names_in_")
    assert model.predict(frame(crs).geometry).tolist() == LABELS
    assert model.predict(frame(3857)).tolist() == LABELS
    assert model.predict(frame(crs)[:0]).tolist() == []
    assert model.fit(frame(crs).rename_geometry("where"), sample_weight=np.ones(20)).labels_.tolist() == LABELS


def test_metres_for_the_euclidean_metric() -> None:
    model = GeoDBSCAN(eps_m=50, min_samples=3, metric="euclidean")
    assert model.fit_predict(frame(32618)).tolist() == LABELS
    assert model.fit_predict(frame(32618).set_crs(None, allow_override=True)).tolist() == LABELS
    for crs, unit in ((2263, "US survey foot"), (4326, "degree")):
        with pytest.raises(ValueError, match=f"units of one {unit}"):
            model.fit(frame(crs))


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        (None, "row 3 has no geometry"),
        (shapely.Point(), "row 3 has no geometry"),
        (shapely.Point(0, 0).buffer(1), "row 3: a Polygon, but points are required; see geopandas' centroid"),
        (shapely.MultiPoint([(1, 2)]), "row 3: a MultiPoint, but points are required; see geopandas' explode"),
    ],
)
def test_what_is_no_point_is_named(geometry: object, told: str) -> None:
    table = frame()
    table.loc[3, "geometry"] = geometry
    with pytest.raises(ValueError, match=told):
        GeoDBSCAN().fit(table)


def test_a_table_without_crs_or_geometry() -> None:
    with pytest.raises(ValueError, match="no CRS; set it"):
        GeoDBSCAN().fit(frame().set_crs(None, allow_override=True))
    with pytest.raises(ValueError, match="no active geometry"):
        GeoDBSCAN().fit(gpd.GeoDataFrame({"n": [1]}))
    with pytest.raises(ValueError, match="0 sample"):
        GeoDBSCAN().fit(frame()[:0])
