# A VPC over two zones: public subnets (tasks and server; no inbound traffic), isolated subnets (database; no route out), and
# private subnets if `egress` requires them.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: the list is read at the first apply; subnets ignore later changes of it.
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_region" "current" {}

locals {
  zones       = slice(data.aws_availability_zones.available.names, 0, 2)
  has_private = var.egress != "internet_gateway"
}

resource "aws_vpc" "main" {
  # checkov:skip=CKV2_AWS_11: flow logs are a switch (enable_flow_logs) because they bill per GB; prod turns them on.
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# The default group of a VPC allows all traffic among its members. Without rules, nothing can use it by accident.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-closed" }
}
