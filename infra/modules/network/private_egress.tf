# One NAT gateway in one zone: batch jobs can wait until a failed zone is back, and a second gateway doubles the price.
resource "aws_eip" "nat" {
  # checkov:skip=CKV2_AWS_19: this address belongs to the NAT gateway below; the check only knows EC2 instances.
  count = var.egress == "nat_gateway" ? 1 : 0

  domain = "vpc"

  tags = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "main" {
  count = var.egress == "nat_gateway" ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id

  tags = { Name = var.name }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route" "nat" {
  count = var.egress == "nat_gateway" ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[0].id
}

locals {
  # What a task calls: for its image, its logs, its secrets, its events, and the tasks it may start.
  interface_services = toset(var.egress == "interface_endpoints" ? ["ecr.api", "ecr.dkr", "ecs", "events", "logs", "secretsmanager"] : [])
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_services

  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  count = var.egress == "interface_endpoints" ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "AWS service endpoints: HTTPS from the tasks."
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = var.egress == "interface_endpoints" ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "HTTPS from the tasks"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
