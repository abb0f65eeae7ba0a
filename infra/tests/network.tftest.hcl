mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "cabstand-test"
}

run "no_nat_gateway_and_no_way_in_by_default" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_vpc_endpoint.interface) == 0 && length(aws_subnet.private) == 0
    error_message = "the default must not hold anything that bills by the hour"
  }

  assert {
    condition     = output.tasks_have_public_ip && alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "public addresses are given to tasks one by one, never by the subnet"
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.dask : rule.cidr_ipv4 == null])
    error_message = "no address range may reach a task"
  }
}

run "nat_gateway_by_switch" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    egress           = "nat_gateway"
    enable_flow_logs = true
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_subnet.private) == 2 && !output.tasks_have_public_ip && length(aws_flow_log.main) == 1
    error_message = "nat_gateway must bring one gateway and private subnets; enable_flow_logs a flow log"
  }
}

run "interface_endpoints_by_switch" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    egress = "interface_endpoints"
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 5 && length(aws_nat_gateway.main) == 0
    error_message = "interface_endpoints must bring the five endpoints and no gateway"
  }
}

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    name                     = "Bad Name"
    cidr_block               = "10.0.0.0"
    egress                   = "none"
    log_retention_days       = 2
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.name, var.cidr_block, var.egress, var.log_retention_days, var.permissions_boundary_arn]
}
