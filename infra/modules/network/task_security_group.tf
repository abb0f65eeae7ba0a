# Nothing outside can reach a task. Tasks can reach each other on Dask's ports only.
resource "aws_security_group" "tasks" {
  # checkov:skip=CKV2_AWS_5: it is attached to tasks when they start, by schedules and distributed runs.
  name        = "${var.name}-tasks"
  description = "Batch tasks: no way in, Dask among themselves."
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-tasks" }
}

locals {
  dask_ports = {
    scheduler = { first = 8786, last = 8786 }
    workers   = { first = 9000, last = 9099 }
  }
}

resource "aws_vpc_security_group_ingress_rule" "dask" {
  for_each = local.dask_ports

  security_group_id            = aws_security_group.tasks.id
  description                  = "Dask ${each.key}, from tasks of the same run"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  security_group_id = aws_security_group.tasks.id
  description       = "AWS services, the trip data's publisher, MLflow"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
