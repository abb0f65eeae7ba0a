data "aws_region" "current" {}

# The provider adds its tags to every resource, but not to the volumes of an instance.
data "aws_default_tags" "current" {}

data "aws_ssm_parameter" "server_image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

locals {
  port            = 5000
  private_address = cidrhost(var.network.server_subnet_cidr, 10)
  tracking_uri    = "http://${local.private_address}:${local.port}"
  # Values of the Host header that the server accepts: its address, and localhost through the SSM tunnel.
  allowed_hosts = flatten([for host in [local.private_address, "localhost", "127.0.0.1"] : [host, "${host}:${local.port}"]])
}

# Upgrades replace the server, because a change of the script, the requirements or the configuration changes the user data.
# Runs, users and files are in PostgreSQL and S3, so nothing is lost.
resource "aws_instance" "server" {
  # checkov:skip=CKV_AWS_88: outbound traffic without a NAT gateway (33 USD a month) needs a public address; the security group allows nothing in from outside.
  # checkov:skip=CKV_AWS_126: metrics every five minutes are free and enough here; the heartbeat comes every minute.
  # checkov:skip=CKV_AWS_135: Graviton types are EBS-optimized by themselves; the flag is for older types.
  ami                         = data.aws_ssm_parameter.server_image.insecure_value
  instance_type               = var.server.instance_type
  subnet_id                   = var.network.server_subnet_id
  private_ip                  = local.private_address
  associate_public_ip_address = true
  vpc_security_group_ids      = [aws_security_group.server.id]
  iam_instance_profile        = aws_iam_instance_profile.server.name

  user_data                   = local.user_data
  user_data_replace_on_change = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.server.disk_gib
    encrypted   = true
  }

  tags        = { Name = "${var.name}-mlflow" }
  volume_tags = merge(data.aws_default_tags.current.tags, { Name = "${var.name}-mlflow" })

  lifecycle {
    # A new AMI is used when the server is next replaced; it is no reason to replace it.
    ignore_changes = [ami]
  }

  depends_on = [
    aws_s3_object.setup,
    aws_secretsmanager_secret_version.server,
    aws_secretsmanager_secret_version.tasks,
    aws_iam_role_policy.server,
    aws_iam_role_policy_attachment.server,
  ]
}
