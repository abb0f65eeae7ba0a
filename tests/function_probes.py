"""Probes of what the emulator's patches change in functions' versions and aliases; see tests/cloud/test_patches.py."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from botocore.exceptions import ClientError

import emulator
from emulator import Clients


def zipped(text: str) -> bytes:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as packed:
        packed.writestr("handler.py", text)
    return code.getvalue()


def function(aws: Clients, name: str) -> Any:
    """Make a function with version 1; return Lambda's client."""
    aws("lambda").create_function(
        FunctionName=name, Role=emulator.role(aws, name), Runtime="python3.13", Handler="handler.x", Publish=True,
        Code={"ZipFile": zipped("1")},
    )  # fmt: skip
    return aws("lambda")


def version_numbers(aws: Clients) -> bool:
    functions = function(aws, "numbers")
    for text in ("2", "3"):
        functions.update_function_code(FunctionName="numbers", ZipFile=zipped(text))
        last = functions.publish_version(FunctionName="numbers")["Version"]
        functions.delete_function(FunctionName="numbers", Qualifier=str(int(last) - 1))
    return bool(last == "3")


def alias_revisions(aws: Clients) -> bool:
    functions = function(aws, "revisions")
    first = functions.create_alias(FunctionName="revisions", Name="live", FunctionVersion="1")["RevisionId"]
    given = {"FunctionName": "revisions", "Name": "live", "FunctionVersion": "1"}
    functions.update_alias(**given, RevisionId=first)
    try:
        functions.update_alias(**given, RevisionId=first)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "PreconditionFailedException")
    return False


PROBES = {probe.__name__: probe for probe in (version_numbers, alias_revisions)}
