# A VPC over two zones: public subnets (tasks and server, nothing may come in), isolated subnets (database, no way out),
# and private subnets only where the egress switch asks for them.

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

# The group that AWS makes with every VPC allows everything among its members: emptied, so that nothing uses it by accident.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-closed" }
}
