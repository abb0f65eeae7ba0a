# A mock provider has no ephemeral resources (Terraform 1.11), so here stands the real one, without an account: it is asked for
# plans alone, every data source that would call AWS is overridden, and the passwords are given.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test" # pragma: allowlist secret
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_ssm_parameter.server_image

  values = {
    insecure_value = "ami-0123456789abcdef0"
  }
}

variables {
  make_passwords  = false
  given_passwords = { admin = "password-of-this-test-only", session = "password-of-this-test-only", tasks = "password-of-this-test-only" } # pragma: allowlist secret

  name                     = "cabstand-test"
  vpc_id                   = "vpc-0123456789abcdef0"
  server_subnet_id         = "subnet-0123456789abcdef0"
  server_subnet_cidr       = "10.40.0.0/20"
  database_subnet_ids      = ["subnet-1", "subnet-2"]
  client_security_group_id = "sg-0123456789abcdef0"
  files_uri                = "s3://cabstand-test-artifacts/mlflow"
  setup_bucket             = "cabstand-test-artifacts"
  requirements_path        = "../requirements/mlflow.txt"
  metrics_namespace        = "cabstand/test"
}

run "server_and_database_are_closed" {
  command = plan

  module {
    source = "./modules/tracking"
  }

  assert {
    condition     = aws_instance.server.metadata_options[0].http_tokens == "required" && aws_instance.server.root_block_device[0].encrypted
    error_message = "the server must want IMDSv2 and have an encrypted disk"
  }

  assert {
    condition     = !aws_db_instance.main.publicly_accessible && aws_db_instance.main.storage_encrypted && aws_db_instance.main.manage_master_user_password && aws_db_instance.main.deletion_protection
    error_message = "the database must be private, encrypted, with a managed secret, and protected by default"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.server_from_tasks.cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.database_from_server.cidr_ipv4 == null
    error_message = "no address range may reach the server or the database"
  }

  assert {
    condition     = output.tracking_uri == "http://10.40.0.10:5000"
    error_message = "the server must have the tenth address of its subnet"
  }

  assert {
    condition     = aws_instance.server.user_data_replace_on_change && aws_instance.server.instance_type == "t4g.small"
    error_message = "the server is arm64, and upgraded by replacing it"
  }
}

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./modules/tracking"
  }

  variables {
    name                     = "x"
    vpc_id                   = "x"
    server_subnet_id         = "x"
    server_subnet_cidr       = "10.40.0.0/31"
    database_subnet_ids      = ["subnet-1"]
    client_security_group_id = "x"
    files_uri                = "s3://bucket-only"
    setup_bucket             = "X"
    requirements_path        = "absent.txt"
    given_passwords          = {}
    policy_arns              = { a = "x" }
    server_instance_type     = "t4g.nano"
    server_disk_gib          = 1
    database_instance_class  = "x"
    database_disk_gib        = 1
    database_version         = "9"
    backup_retention_days    = 99
    secret_recovery_days     = 1
    log_retention_days       = 2
    metrics_namespace        = "AWS/EC2"
    permissions_boundary_arn = "x"
  }

  expect_failures = [
    var.name, var.vpc_id, var.server_subnet_id, var.server_subnet_cidr, var.database_subnet_ids, var.client_security_group_id,
    var.files_uri, var.setup_bucket, var.requirements_path, var.given_passwords, var.policy_arns, var.server_instance_type, var.server_disk_gib,
    var.database_instance_class, var.database_disk_gib, var.database_version, var.backup_retention_days, var.secret_recovery_days,
    var.log_retention_days, var.metrics_namespace, var.permissions_boundary_arn,
  ]
}
