"""Requests that each role of an applied environment must be refused or granted."""

from __future__ import annotations

A = "123456789012"
LAKE, ARTIFACTS = f"arn:aws:s3:::cabstand-dev-lake-{A}", f"arn:aws:s3:::cabstand-dev-artifacts-{A}"
SITE = f"arn:aws:s3:::cabstand-dev-site-{A}"
STATE = f"arn:aws:s3:::cabstand-state-{A}"
PLAN = f"{STATE}/plans/dev/0123/plan"
SECRET = f"arn:aws:secretsmanager:us-east-1:{A}:secret:"
CLUSTER = {"ecs:cluster": f"arn:aws:ecs:us-east-1:{A}:cluster/cabstand-dev"}
TASK = f"arn:aws:ecs:us-east-1:{A}:task/cabstand-dev/0123456789abcdef"
TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
DEFINITION = f"arn:aws:ecs:us-east-1:{A}:task-definition/cabstand-dev-"
BOUNDARY = {"iam:PermissionsBoundary": f"arn:aws:iam::{A}:policy/cabstand-boundary"}
REPOSITORY = f"arn:aws:ecr:us-east-1:{A}:repository/cabstand/"
ROLE = f"arn:aws:iam::{A}:role/cabstand-"

# Requests that must be refused: role, action, resource, context.
REFUSED = [
    ("dev-task-clustering", "secretsmanager:GetSecretValue", f"{SECRET}cabstand-dev/api/keys-AbCdEf", {}),
    ("dev-task-pipeline", "secretsmanager:GetSecretValue", f"{SECRET}cabstand-dev/mlflow/server-AbCdEf", {}),
    ("dev-task-clustering", "s3:PutObject", f"{ARTIFACTS}/serving/trip-duration/pointer.json", {}),
    ("dev-task-training", "s3:PutObject", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("dev-task-pipeline", "s3:DeleteObjectVersion", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("dev-task-worker", "ecs:RunTask", f"{DEFINITION}dask-worker:1", CLUSTER),
    ("dev-task-distributing", "ecs:RunTask", f"{DEFINITION}pipeline:1", CLUSTER),
    ("dev-task-distributing", "iam:PassRole", f"{ROLE}dev-task-pipeline", TO_TASKS),
    ("dev-task-distributing", "ecs:TagResource", TASK, {"ecs:CreateAction": "CreateCluster"}),
    ("dev-task-pipeline", "ecs:TagResource", TASK, {"ecs:CreateAction": "CreateCluster"}),
    ("dev-task-pipeline", "s3:GetObject", f"{STATE}/dev/terraform.tfstate", {}),
    ("dev-task-pipeline", "s3:DeleteObject", f"{SITE}/index.html", {}),
    ("dev-task-clustering", "s3:PutObject", f"{SITE}/index.html", {}),
    ("dev-task-training", "s3:PutObject", f"{SITE}/index.html", {}),
    ("dev-api-function", "s3:GetObject", f"{SITE}/index.html", {}),
    ("dev-api-function", "s3:PutObject", f"{ARTIFACTS}/serving/trip-duration/pointer.json", {}),
    ("dev-api-function", "s3:GetObject", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("dev-api-function", "s3:ListBucket", ARTIFACTS, {"s3:prefix": "mlflow/"}),
    ("dev-task-training", "s3:ListBucket", ARTIFACTS, {"s3:prefix": "mlflow/"}),
    ("dev-task-pipeline", "s3:ListBucket", ARTIFACTS, {"s3:prefix": "setup/"}),
    ("dev-mlflow-server", "s3:ListBucket", ARTIFACTS, {"s3:prefix": "serving/"}),
    ("dev-stay-asleep", "rds:StopDBInstance", f"arn:aws:rds:us-east-1:{A}:db:cabstand-prod-mlflow", {}),
    ("dev-mlflow-server", "s3:GetObject", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("dev-mlflow-server", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/EC2"}),
    ("dev-scheduler", "ecs:RunTask", f"{DEFINITION}dask-worker:1", CLUSTER),
    ("dev-scheduler", "ecs:TagResource", TASK, {"ecs:CreateAction": "CreateCluster"}),
    ("plan", "s3:PutObject", f"{STATE}/dev/terraform.tfstate", {}),
    ("plan", "secretsmanager:GetSecretValue", f"{SECRET}cabstand-dev/mlflow/server-AbCdEf", {}),
    ("plan", "s3:GetObject", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("plan", "s3:PutObject", PLAN, {}),
    ("plan", "s3:GetObject", PLAN, {}),
    ("release-plan", "s3:PutObject", f"{STATE}/dev/terraform.tfstate", {}),
    ("release-plan", "s3:GetObject", PLAN, {}),
    ("release-plan", "s3:DeleteObject", PLAN, {}),
    ("release-plan", "secretsmanager:GetSecretValue", f"{SECRET}cabstand-dev/mlflow/server-AbCdEf", {}),
    ("release-plan", "s3:GetObject", f"{LAKE}/trips/green/2023-01.parquet", {}),
    ("deploy", "s3:PutObject", PLAN, {}),
    ("deploy", "iam:UpdateAssumeRolePolicy", f"{ROLE}release-plan", {}),
    ("plan", "ecr:DescribeImages", f"{REPOSITORY}mlflow", {}),
    ("plan", "ecr:BatchGetImage", f"{REPOSITORY}batch", {}),
    ("deploy", "iam:CreateRole", f"{ROLE}dev-new", {}),
    (
        "deploy",
        "iam:PutRolePolicy",
        f"{ROLE}deploy",
        {"iam:PermissionsBoundary": f"arn:aws:iam::{A}:policy/cabstand-boundary"},
    ),
    ("deploy", "iam:CreatePolicyVersion", f"arn:aws:iam::{A}:policy/cabstand-boundary", {}),
    ("deploy", "s3:PutObject", f"{STATE}/bootstrap/terraform.tfstate", {}),
    ("deploy", "s3:GetObject", "arn:aws:s3:::of-somebody-else/data.csv", {}),
    ("deploy", "s3:DeleteBucketPolicy", STATE, {}),
]
# Requests of the same roles that must be granted, so that none is refused everything.
GRANTED = [
    ("dev-task-clustering", "s3:PutObject", f"{LAKE}/hotspots/run/hotspots.parquet", {}),
    ("dev-task-training", "s3:PutObject", f"{ARTIFACTS}/serving/trip-duration/pointer.json", {}),
    ("dev-task-pipeline", "s3:PutObject", f"{SITE}/versions/report-1/report.html", {}),
    ("dev-task-pipeline", "s3:ListBucket", SITE, {"s3:prefix": "versions/"}),
    # S3 asks this, without a prefix, before it answers 404 rather than 403 for an absent object.
    ("dev-task-pipeline", "s3:ListBucket", SITE, {}),
    ("dev-task-training", "s3:ListBucket", ARTIFACTS, {}),
    ("dev-api-function", "s3:ListBucket", ARTIFACTS, {}),
    ("dev-mlflow-server", "s3:ListBucket", ARTIFACTS, {}),
    ("dev-task-distributing", "ecs:RunTask", f"{DEFINITION}dask-worker:1", CLUSTER),
    ("dev-task-distributing", "iam:PassRole", f"{ROLE}dev-task-worker", TO_TASKS),
    ("dev-task-execution", "secretsmanager:GetSecretValue", "the tasks' secret", {}),
    ("dev-api-function", "s3:GetObject", f"{ARTIFACTS}/serving/trip-duration/pointer.json", {}),
    ("dev-mlflow-server", "s3:PutObject", f"{ARTIFACTS}/mlflow/1/run/artifacts/model.onnx", {}),
    ("dev-mlflow-server", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "cabstand/dev"}),
    ("dev-scheduler", "ecs:RunTask", f"{DEFINITION}compare:1", CLUSTER),
    ("dev-stay-asleep", "rds:StopDBInstance", f"arn:aws:rds:us-east-1:{A}:db:cabstand-dev-mlflow", {}),
    ("plan", "s3:GetObject", f"{STATE}/dev/terraform.tfstate", {}),
    ("release-plan", "s3:GetObject", f"{STATE}/dev/terraform.tfstate", {}),
    ("release-plan", "s3:PutObject", PLAN, {}),
    ("deploy", "s3:GetObject", PLAN, {}),
    ("plan", "ecr:DescribeImages", f"{REPOSITORY}batch", {}),
    ("deploy", "ecr:ListTagsForResource", f"{REPOSITORY}batch", {}),
    (
        "deploy",
        "iam:CreateRole",
        f"{ROLE}dev-new",
        {"iam:PermissionsBoundary": f"arn:aws:iam::{A}:policy/cabstand-boundary"},
    ),
    ("deploy", "s3:PutObject", f"{STATE}/dev/terraform.tfstate", {}),
]
