"""Find the files of tables at a URI, a glob or a folder."""

from __future__ import annotations

import glob
from fnmatch import fnmatchcase
from pathlib import Path

from cabstand.errors import DataError
from cabstand.io import storage


def expand(uri: str) -> list[str]:
    """Return the files that a URI, a glob or a folder names, sorted; a DataError if there is none."""
    is_glob = any(sign in uri for sign in "*?[")
    if is_glob and storage.is_s3(uri):
        fixed = uri[: min(uri.find(sign) for sign in "*?[" if sign in uri)].rsplit("/", 1)[0]
        found = [file for file in storage.list_under(fixed) if fnmatchcase(file, uri)]
    elif is_glob and not Path(uri).exists():
        found = sorted(path for path in glob.glob(uri, recursive=True) if Path(path).is_file())  # noqa: PTH207
    elif not uri.endswith("/") and storage.exists(uri):
        found = [uri]
    else:
        below = storage.list_under(uri)
        found = [file for file in below if file.endswith(".parquet")]
        if below and not found:
            raise DataError("no Parquet file in the folder", where=uri, hint="name others by a glob, such as '*.csv'")
    if not found:
        raise DataError("no such file", where=uri)
    return found
