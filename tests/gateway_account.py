"""A small function and its HTTP API on the emulator, and the gateway in front of them."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from emulator import MODULE, started

SOURCE = Path(__file__).parent / "lambda_function" / "small_handler.py"
NAME, REGION, ACCOUNT = "small", "us-east-1", "123456789012"
LOGS, REQUESTS = f"/aws/lambda/{NAME}", "/requests"


class Account:
    """The emulator in a process of its own."""

    def __init__(self, url: str, name: str = NAME) -> None:
        self.url, self.name = url, name

    def client(self, service: str, url: str = "") -> Any:
        key = "emulator"
        return boto3.client(
            service, endpoint_url=url or self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=key
        )

    def make_function(self, python: str, package: bytes = b"", **settings: Any) -> None:
        """Create the function with version 1 and the alias `live`."""
        role = self.client("iam").create_role(RoleName="small", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        logs = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [logs]})
        self.client("iam").put_role_policy(RoleName="small", PolicyName="logs", PolicyDocument=document)
        self.client("logs").create_log_group(logGroupName=f"/aws/lambda/{self.name}")
        given = {"Timeout": 2, "MemorySize": 128, "Handler": "small_handler.handler"} | settings
        self.client("lambda").create_function(
            FunctionName=self.name,
            Role=role,
            Runtime=f"python{python}",
            Code={"ZipFile": package or zipped()},
            Publish=True,
            **given,
        )
        self.client("lambda").create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")

    def make_api(self, *keys: str, timeout_ms: int = 30_000, stage: str = "$default", **settings: Any) -> str:
        """Create an API with these routes to the alias, its stage and its permission; return its id."""
        gateway = self.client("apigatewayv2")
        api: str = gateway.create_api(Name="small", ProtocolType="HTTP", **settings)["ApiId"]
        target = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0", TimeoutInMillis=timeout_ms,
            IntegrationUri=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}:live",
        )["IntegrationId"]  # fmt: skip
        for key in keys:
            gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{target}")
        gateway.create_stage(ApiId=api, StageName=stage, AutoDeploy=True)
        self.permit(api)
        return api

    def change_stage(self, api: str, **settings: Any) -> None:
        self.client("apigatewayv2").update_stage(ApiId=api, StageName="$default", **settings)

    def permit(self, api: str) -> None:
        self.client("lambda").add_permission(
            FunctionName=self.name, Qualifier="live", StatementId=f"gateway-{api}", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com", SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/*/*",
        )  # fmt: skip

    def lines(self, group: str) -> list[str]:
        """Return the lines of a log group."""
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        found = [logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"]) for one in streams]
        return [event["message"] for one in found for event in one["events"]]

    def wait_for(self, group: str, text: str) -> str:
        """Return a line with a text, once it is there."""
        for _ in range(100):
            if found := [line for line in self.lines(group) if text in line]:
                return found[0]
            time.sleep(0.1)
        raise TimeoutError(f"no {text} in {self.lines(group)}")


def zipped(source: Path = SOURCE, **extra: str) -> bytes:
    """Return the function's zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(source, source.name)
        for name, text in extra.items():
            archive.writestr(name, text)
    return packed.getvalue()


@contextmanager
def account(name: str = NAME) -> Iterator[Account]:
    with started(MODULE) as url:
        yield Account(url, name)


@contextmanager
def gateway(emulator: Account, folder: Path, *options: str, kill: bool = False) -> Iterator[str]:
    """Run the gateway for the duration of the block; yield its address."""
    words = ("cabstand.local.gateway", "--folder", str(folder), *options)
    with started(*words, kill=kill, AWS_ENDPOINT_URL=emulator.url) as url:
        yield url


def event_of(answer: Any) -> dict[str, Any]:
    """Return the event that the function got: it answers with it."""
    return dict(json.loads(answer.content)["event"])
