"""CSV as programs and people write it: the same trips, whatever the form."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cabstand.errors import DataError
from cabstand.io import points
from cabstand.trips.raw import NULLS
from cabstand.trips.readers import open_trips

ROWS = [("2014-04-01 00:11:00", "40.769", "-73.9549"), ("2014-04-01 00:17:00", "40.7267", "-74.0345")]
PLACES = [[40.769, -73.9549], [40.7267, -74.0345]]


def read(path: Path) -> tuple[list[list[float]], list[list[float]]]:
    """Read a file as `cluster` and as `ingest` do."""
    trips = [batch.trips for batch in open_trips(path, "uber").batches()]
    good = [[row["pickup_lat"], row["pickup_lon"]] for batch in trips for row in batch.to_pylist()]
    found = points.read(str(path))
    assert found.at is not None
    assert str(found.at[0]) == "2014-04-01T00:11:00.000000"
    return found.latlon.tolist(), [place for place in good if None not in place]


@dataclass(frozen=True)
class Form:
    delimiter: str
    before: str
    bom: bool
    ending: str
    quoted: bool
    decimal: str
    null: str
    packed: bool
    stray: bool

    def write(self, rows: list[tuple[str, ...]]) -> bytes:
        decimal = "." if self.delimiter == "," else self.decimal
        table = [rows[0], *((at, lat.replace(".", decimal), lon.replace(".", decimal)) for at, lat, lon in rows[1:])]
        lines = [self.delimiter.join(f'"{value}"' if self.quoted else value for value in row) for row in table]
        lines = [lines[0], *(f"{line}{self.delimiter}" if self.stray else line for line in lines[1:])]
        before = self.before if self.before != "sep" else f"sep={self.delimiter}{self.ending}"
        content = (before + self.ending.join([*lines, ""])).encode("utf-8-sig" if self.bom else "utf-8")
        return gzip.compress(content) if self.packed else content


FORMS = st.builds(
    Form,
    delimiter=st.sampled_from(",;\t|"),
    before=st.sampled_from(["", "\n", "\r\n \n\n", ",,\n", "sep"]),
    bom=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    quoted=st.booleans(),
    decimal=st.sampled_from(".,"),
    null=st.sampled_from(NULLS),
    packed=st.booleans(),
    stray=st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=FORMS)
def test_every_form_of_csv_is_read_alike_by_both_commands(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "form.csv"
    path.write_bytes(form.write([("Date/Time", "Lat", "Lon"), *ROWS, ("2014-04-01 00:21:00", form.null, "-74")]))
    assert read(path) == (PLACES, PLACES)


@pytest.mark.parametrize("null", [" NA ", "\\N", "null", "?", "-"])
def test_values_that_are_none_are_put_aside_by_both(tmp_path: Path, null: str) -> None:
    path = tmp_path / "nulls.csv"
    path.write_text("\n".join(["t,lat,lon", *map(",".join, ROWS), f"2014-04-01 00:20:00,{null},-73.9", ""]))
    assert read(path) == (PLACES, PLACES)
    reason = "unreadable_value" if null in "?-" else "location_missing"
    assert points.read(str(path)).put_aside == {reason: 1}


def test_a_few_malformed_lines_are_put_aside_and_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "malformed.csv"
    path.write_text("\n".join(["t,lat,lon", *map(",".join, ROWS), "1,2,3,4", ",".join(ROWS[0]), ""]))
    found = points.read(str(path))
    assert found.put_aside == {"malformed_row": 1}
    assert found.row.tolist() == [0, 1, 3]
    assert found.n_rows == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("t,lat,lon\n".encode("utf-16"), "text in UTF-16"),
        (b"PK\x03\x04 and more", "a ZIP archive or a workbook"),
        (b"SQLite format 3\x00", "a GeoPackage"),
        (b"ARROW1\x00\x00", "an Arrow"),
        (b"t,lat,lon\n2014,\xb0,1\n", "not UTF-8"),
        (b"t~lat~lon\n1~2~3\n", "not separated by a comma, semicolon, tab or |"),
        (b"\n\n", "no header line"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        points.read(str(path))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
