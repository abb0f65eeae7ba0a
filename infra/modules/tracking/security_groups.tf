resource "aws_security_group" "server" {
  name        = "${var.name}-mlflow"
  description = "MLflow server: calls from tasks alone."
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.name}-mlflow" }
}

resource "aws_vpc_security_group_ingress_rule" "server_from_tasks" {
  security_group_id            = aws_security_group.server.id
  description                  = "MLflow, from the tasks"
  referenced_security_group_id = var.network.task_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "server_https" {
  security_group_id = aws_security_group.server.id
  description       = "AWS services and package downloads"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "server_to_database" {
  security_group_id            = aws_security_group.server.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_security_group" "database" {
  name        = "${var.name}-mlflow-database"
  description = "MLflow database: connections from the server alone."
  vpc_id      = var.network.vpc_id

  tags = { Name = "${var.name}-mlflow-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database_from_server" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL, from the MLflow server"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
