"""What a stack without Terraform is made of: parts, and the few resources that they read."""

from __future__ import annotations

import json

from cabstand.local.stack import parts, terraform
from cabstand.local.stack.state import State

USER_DATA = "#!/bin/bash\ncat >mlflow.env <<'ENV'\nMLFLOW_DB_NAME=mlflow\nMLFLOW_DB_SECRET_ARN={arn}\nENV\n"


def start(state: State, name: str) -> None:
    """Start a part as `up` does."""
    part = parts.start(state, name)
    assert part
    state.parts[name] = part
    state.save()


def applied(state: State) -> dict[str, object]:
    """Make what Terraform would, as far as the parts read it, and return its outputs."""
    secrets, ec2 = terraform.client(state, "secretsmanager"), terraform.client(state, "ec2")
    master = json.dumps({"username": "admin", "password": "it's secret"})  # pragma: allowlist secret
    arn = secrets.create_secret(Name="master", SecretString=master)["ARN"]
    keys = secrets.create_secret(Name="keys", SecretString='{"schema_version": 1, "keys": []}')["ARN"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    data = USER_DATA.format(arn=arn)
    server = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData=data)["Instances"][0]["InstanceId"]
    terraform.client(state, "s3").create_bucket(Bucket="lake")
    terraform.client(state, "ecs").create_cluster(clusterName="cabstand-dev")
    batch = {"cluster_name": "cabstand-dev", "task_definition_arns": {}}
    return {
        "keys_secret_arn": keys,
        "mlflow": {"server_id": server, "uri": "http://10.0.0.10:5000"},
        "buckets": {"lake": "lake"},
        "batch": batch,
    }
