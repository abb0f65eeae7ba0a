mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "cabstand-test"
  cidr_block               = "10.40.0.0/16"
  egress                   = "internet_gateway"
  server_instance_type     = "t4g.small"
  enable_flow_logs         = false
  log_retention_days       = 30
  permissions_boundary_arn = null
}

run "internet_gateway_brings_no_nat_gateway_and_no_way_in" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_vpc_endpoint.interface) == 0 && length(aws_subnet.private) == 0
    error_message = "internet_gateway must not add anything that is billed by the hour"
  }

  assert {
    condition     = output.tasks_have_public_ip && alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "tasks get public addresses one by one, never from the subnet"
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
    error_message = "nat_gateway must add one gateway and private subnets; enable_flow_logs a flow log"
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
    condition     = length(aws_vpc_endpoint.interface) == 6 && length(aws_nat_gateway.main) == 0
    error_message = "interface_endpoints must add the six endpoints and no gateway"
  }
}

run "zones_offer_the_server" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_ec2_instance_type_offerings.server

    values = {
      locations = ["us-east-1c", "us-east-1b", "us-east-1f"]
    }
  }

  assert {
    condition     = join(" ", aws_subnet.public[*].availability_zone) == "us-east-1b us-east-1c"
    error_message = "a zone without the server's type must not be used"
  }
}

run "one_zone_is_too_few" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_ec2_instance_type_offerings.server

    values = {
      locations = ["us-east-1c"]
    }
  }

  expect_failures = [data.aws_ec2_instance_type_offerings.server]
}
