"""Repeat what another writer was faster at."""

from __future__ import annotations

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from cabstand.errors import ConflictError

# For what reads an object and replaces it by `storage.put_if`: each conflict means that another writer has written.
until_written = retry(
    retry=retry_if_exception_type(ConflictError),
    stop=stop_after_delay(60),
    wait=wait_random_exponential(0.02, max=1.0),
    reraise=True,
)
