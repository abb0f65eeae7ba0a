#!/usr/bin/env bash
# moto 5.2.5: PublishVersion of Lambda gives a number again once an older version has been deleted.
#
# Seen: versions 1, 2 and 3 are published, 2 is deleted, and other code is published: the new version is 3, and
# ListVersionsByFunction lists two versions 3. Lambda never gives a number twice: it answers 4.
#
# Why it matters: a deployment that deletes old versions and then publishes finds its "new" version live already, and
# ships nothing. cabstand's emulator counts the numbers itself (cabstand.local.emulator.patches.versions).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check "moto[awslambda]==5.2.5" boto3==1.44.5

export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
"$work/venv/bin/python" - <<'PYTHON'
import io
import sys
import zipfile

import boto3
from moto import mock_aws


def zipped(text):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as packed:
        packed.writestr("handler.py", text)
    return code.getvalue()


with mock_aws(config={"lambda": {"use_docker": False}}):
    role = boto3.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName="f", Role=role, Runtime="python3.13", Handler="handler.x", Code={"ZipFile": zipped("1")}, Publish=True
    )
    for text in ("2", "3"):
        functions.update_function_code(FunctionName="f", ZipFile=zipped(text), Publish=True)
    functions.delete_function(FunctionName="f", Qualifier="2")
    functions.update_function_code(FunctionName="f", ZipFile=zipped("4"))
    published = functions.publish_version(FunctionName="f")["Version"]
    listed = [one["Version"] for one in functions.list_versions_by_function(FunctionName="f")["Versions"]]

print(f"published: {published}; listed: {listed}")
unchanged = published == "3" and listed == ["$LATEST", "1", "3", "3"]
sys.exit(0 if unchanged else "The behaviour changed: expected version 3 a second time.")
PYTHON
echo "Still so: a version's number is given again."
