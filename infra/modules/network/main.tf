# A VPC over two zones: public subnets (tasks and server; no inbound traffic), isolated subnets (database; no route out), and
# private subnets if `egress` requires them.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: the list is read at the first apply; subnets ignore later changes of it.
  state = "available"

  # Zones without Fargate: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html
  exclude_zone_ids = ["apne1-az3", "use1-az3", "usw1-az2"]

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ec2_instance_type_offerings" "server" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.server_instance_type]
  }

  lifecycle {
    postcondition {
      condition     = length(setintersection(data.aws_availability_zones.available.names, self.locations)) >= 2
      error_message = "Fewer than two zones of this region offer ${var.server_instance_type} and Fargate; choose another server_instance_type or region."
    }
  }
}

data "aws_region" "current" {}

locals {
  offering    = setintersection(data.aws_availability_zones.available.names, data.aws_ec2_instance_type_offerings.server.locations)
  zones       = slice(sort(local.offering), 0, 2)
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
