# A small account whose plan is frozen beside it (plan.json): terraform plan needs no account and no network for it.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "testing"
  secret_key                  = "testing" # pragma: allowlist secret
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_requesting_account_id  = true
  skip_region_validation      = true
}

variable "server_instance_type" {
  type    = string
  default = "t4g.small"
}

resource "aws_instance" "server" {
  ami                         = "ami-12345678"
  instance_type               = var.server_instance_type
  associate_public_ip_address = true

  root_block_device {
    volume_type = "gp3"
    volume_size = 16
  }
}

resource "aws_db_instance" "main" {
  identifier                  = "example"
  engine                      = "postgres"
  instance_class              = "db.t4g.micro"
  allocated_storage           = 20
  storage_type                = "gp3"
  username                    = "cabstand"
  manage_master_user_password = true
  skip_final_snapshot         = true
}

resource "aws_secretsmanager_secret" "keys" {
  name = "example/keys"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  threshold           = 5

  metric_query {
    id          = "share"
    expression  = "failed / started"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["failed", "started"])

    content {
      id = metric_query.key

      metric {
        namespace   = "cabstand"
        metric_name = metric_query.key
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

resource "aws_lambda_function" "api" {
  function_name = "api"
  role          = "arn:aws:iam::123456789012:role/api"
  handler       = "handler.handler"
  runtime       = "python3.13"
  architectures = ["arm64"]
  memory_size   = 512
  s3_bucket     = "example"
  s3_key        = "api.zip"
  publish       = true

  snap_start {
    apply_on = "PublishedVersions"
  }
}

resource "aws_ecs_task_definition" "multicore" {
  family                   = "cluster-multicore"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 8192
  memory                   = 16384
  container_definitions    = jsonencode([{ name = "task", image = "example" }])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
}

resource "aws_s3_bucket" "lake" {
  bucket = "example"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_cloudwatch_log_group" "tasks" {
  name = "tasks"
}

module "disks" {
  source = "./disks"
}
