"""Learn a CSV file's delimiter, column names and decimal point from its first bytes."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

from cabstand.errors import DataError
from cabstand.trips.columns import surplus

HEAD = 2**18  # bytes read to learn the header and the width of the rows
DELIMITERS = ",;\t|"
_SNIFF_ROWS = 200
_BOM = b"\xef\xbb\xbf"
_DECIMAL_COMMA = re.compile(r"\s*-?\d+,\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*-?\d+\.\d+\s*")


@dataclass(frozen=True)
class Head:
    """The form of a CSV file."""

    names: list[str]  # of the columns, with made-up ones where stray delimiters make the rows wider than the header
    delimiter: str
    decimal_comma: bool
    start: int  # bytes before the first row
    rows: list[list[str]]  # the first ones


def read_head(data: bytes) -> Head:
    """Learn the form of a file from its first `HEAD` bytes; a DataError if it has no header or no row."""
    cut = len(data) == HEAD
    bom = len(_BOM) if data.startswith(_BOM) else 0
    lines = list(io.StringIO(_decode(data[bom:]), newline=""))
    n_blank = next((number for number, line in enumerate(lines) if line.strip(f'{DELIMITERS}" \r\n')), len(lines))
    named = re.fullmatch(r"sep=(.)\s*", lines[n_blank]) if n_blank < len(lines) else None
    lines_before = n_blank + bool(named)
    body = lines[lines_before:-1] if cut else lines[lines_before:]
    if not body:
        raise DataError("no header line")
    delimiter = named[1] if named else _sniff(body)
    reader = csv.reader(body, delimiter=delimiter)
    header = [name.strip() for name in next(reader)]
    start = bom + len("".join(lines[: lines_before + reader.line_num]).encode())
    rows = [row for row in reader if row][:_SNIFF_ROWS]
    if not rows and not cut:
        raise DataError("holds no rows")
    return Head(_widened(header, rows), delimiter, _has_decimal_commas(rows, delimiter), start, rows)


def _sniff(body: list[str]) -> str:
    """Return the delimiter that splits the header into most columns, and then the most rows alike."""

    def score(delimiter: str) -> tuple[int, int]:
        rows = [row for row in csv.reader(body[:50], delimiter=delimiter) if row]
        return len(rows[0]), sum(len(row) == len(rows[0]) for row in rows)

    return max(DELIMITERS, key=score)


def _widened(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = Counter(len(row) for row in rows)
    width = widths.most_common(1)[0][0] if widths else len(header)
    unnamed = range(len(header), width)
    if any(row[index].strip() for row in rows if len(row) == width for index in unnamed):
        raise DataError(f"the header names {len(header)} columns, most rows hold {width}")
    return header + [surplus(index) for index in unnamed]


def _has_decimal_commas(rows: list[list[str]], delimiter: str) -> bool:
    values = [value for row in rows for value in row] if delimiter != "," else []
    commas, points = (
        sum(form.fullmatch(value) is not None for value in values) for form in (_DECIMAL_COMMA, _DECIMAL_POINT)
    )
    return commas > points


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 4 and len(data) >= HEAD - len(_BOM):  # the cut may split a character
            return data[: error.start].decode()
        raise DataError("neither Parquet nor CSV: not UTF-8 text", hint="save it as CSV in UTF-8") from error
