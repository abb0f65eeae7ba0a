mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                    = "cabstand-test"
  image_uri               = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:v1"
  repository_arn          = "arn:aws:ecr:us-east-1:123456789012:repository/cabstand/batch"
  subnet_ids              = ["subnet-1"]
  security_group_id       = "sg-1"
  lake_uri                = "s3://cabstand-test-lake"
  tracking_secret_arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tasks"
  use_tracking_policy_arn = "arn:aws:iam::123456789012:policy/use-tracking"

  policy_arns = {
    read-lake     = "arn:aws:iam::123456789012:policy/read-lake"
    write-lake    = "arn:aws:iam::123456789012:policy/write-lake"
    write-bundles = "arn:aws:iam::123456789012:policy/write-bundles"
    write-site    = "arn:aws:iam::123456789012:policy/write-site"
  }
}

run "sizes_follow_multicore_vcpu" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    multicore_vcpu = 16
  }

  assert {
    condition     = aws_ecs_task_definition.main["cluster-multicore"].cpu == "16384" && aws_ecs_task_definition.main["cluster-multicore"].memory == "32768"
    error_message = "cluster-multicore must have the vCPUs asked for, and 2 GiB each"
  }

  assert {
    condition     = aws_ecs_task_definition.main["cluster-sequential"].cpu == "1024"
    error_message = "cluster-sequential has one vCPU"
  }
}

run "another_schedule_and_a_rule_are_one_entry_each" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    schedules  = { daily-drift = { task = "pipeline", command = ["monitor"], expression = "cron(0 8 * * ? *)", max_retries = 1 } }
    event_jobs = { retrain = { task = "train", source = "cabstand", detail_type = "Drift confirmed", detail = { decision = ["retrain"] } } }
  }

  assert {
    condition     = aws_scheduler_schedule.main["daily-drift"].target[0].retry_policy[0].maximum_retry_attempts == 1 && aws_scheduler_schedule.main["daily-drift"].schedule_expression_timezone == "America/New_York"
    error_message = "a schedule must take its retries, and the default time zone"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.job["retrain"].event_pattern)["detail-type"] == ["Drift confirmed"]
    error_message = "a rule must match what its entry says"
  }
}

run "a_schedule_of_an_unknown_task_is_refused" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    schedules = { odd = { task = "dask-worker", expression = "rate(1 day)" } }
  }

  expect_failures = [aws_scheduler_schedule.main["odd"]]
}

run "refuses_what_is_wrong" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    name                     = "x"
    image_uri                = "ubuntu:latest"
    repository_arn           = "x"
    architecture             = "x"
    multicore_vcpu           = 5
    capacity_provider        = "x"
    subnet_ids               = []
    security_group_id        = "x"
    environment              = { lower = "x" }
    lake_uri                 = "s3://bucket/prefix"
    clustering_input         = "x"
    pipeline_dataset         = "purple"
    pipeline_months          = []
    pipeline_holdout_months  = ["2023-13"]
    training_input           = "x"
    policy_arns              = {}
    tracking_secret_arn      = "x"
    use_tracking_policy_arn  = "x"
    schedules                = { a = { task = "compare", expression = "daily" } }
    event_jobs               = { a = { task = "train", source = "aws.s3", detail_type = "x" } }
    worker_lifetime_minutes  = 0
    log_retention_days       = 2
    permissions_boundary_arn = "x"
  }

  expect_failures = [
    var.name, var.image_uri, var.repository_arn, var.architecture, var.multicore_vcpu, var.capacity_provider, var.subnet_ids,
    var.security_group_id, var.environment, var.lake_uri, var.clustering_input, var.training_input, var.pipeline_dataset, var.pipeline_months, var.pipeline_holdout_months, var.policy_arns,
    var.tracking_secret_arn, var.use_tracking_policy_arn, var.schedules, var.event_jobs, var.worker_lifetime_minutes,
    var.log_retention_days, var.permissions_boundary_arn,
  ]
}
