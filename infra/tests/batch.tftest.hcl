mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                      = "cabstand-test"
  log_level                 = "INFO"
  task_settings             = { CABSTAND_MONITOR_BIAS = "0.15", CABSTAND_HOME = "/elsewhere" }
  multicore_vcpu            = 4
  capacity_provider         = "FARGATE_SPOT"
  collector_image           = null
  schedules                 = {}
  worker_lifetime_minutes   = 120
  enable_container_insights = false
  log_retention_days        = 30
  permissions_boundary_arn  = null

  image = {
    uri            = "123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:v1"
    repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/cabstand/batch"
    architecture   = "X86_64"
  }

  inputs = {
    clustering = null
    training   = null
  }

  pipeline = {
    dataset        = "green"
    months         = []
    holdout_months = []
    newest_months  = 4
    fetch_months   = true
  }

  network = {
    task_subnet_ids        = ["subnet-1"]
    task_security_group_id = "sg-1"
    tasks_have_public_ip   = true
  }

  storage = {
    lake_uri      = "s3://cabstand-test-lake"
    artifacts_uri = "s3://cabstand-test-artifacts/serving"
    site_uri      = "s3://cabstand-test-site"
    policy_arns   = { for name in ["read-lake", "write-lake", "write-results", "write-monitor", "read-bundles", "write-bundles", "write-site"] : name => "arn:aws:iam::123456789012:policy/${name}" }
  }

  tracking = {
    tracking_uri            = "http://10.40.0.10:5000"
    tasks_secret_arn        = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tasks"
    use_tracking_policy_arn = "arn:aws:iam::123456789012:policy/use-tracking"
  }
}

run "sizes_follow_multicore_vcpu_and_no_internet_fetches_nothing" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    multicore_vcpu = 16
    pipeline       = { dataset = "yellow", months = [], holdout_months = [], newest_months = 2, fetch_months = false }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["pipeline"].container_definitions)[0].command == ["pipeline", "--dataset", "yellow", "--newest", "2", "--no-fetch"]
    error_message = "without internet, the pipeline takes the months in the lake"
  }

  assert {
    condition     = aws_ecs_task_definition.main["cluster-multicore"].cpu == "16384" && aws_ecs_task_definition.main["cluster-multicore"].memory == "32768"
    error_message = "cluster-multicore must have multicore_vcpu vCPUs, and 2 GiB for each"
  }

  assert {
    condition     = aws_ecs_task_definition.main["cluster-sequential"].cpu == "1024"
    error_message = "cluster-sequential has one vCPU"
  }
}

run "tasks_read_what_the_pipeline_ingested" {
  command = plan

  module {
    source = "./modules/batch"
  }

  assert {
    condition     = alltrue([for task in ["compare", "sweep"] : jsondecode(aws_ecs_task_definition.main[task].container_definitions)[0].command == [task, "--input", "newest:green"]])
    error_message = "comparison and sweep take the newest month of the pipeline's data set"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["train"].container_definitions)[0].command == ["train", "--problem", "trip-duration", "--input", "s3://cabstand-test-lake/trips/green"]
    error_message = "training takes all months of the pipeline's data set"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.main["pipeline"].container_definitions)[0].environment, { name = "CABSTAND_SITE", value = "s3://cabstand-test-site" })
    error_message = "the pipeline must know the site"
  }
}

run "named_inputs_are_read" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    inputs = { clustering = "trips/uber/2014-04.parquet", training = "trips/green/2023-*.parquet" }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["compare"].container_definitions)[0].command[2] == "s3://cabstand-test-lake/trips/uber/2014-04.parquet"
    error_message = "a named input takes the place of the newest month"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["train"].container_definitions)[0].command[4] == "s3://cabstand-test-lake/trips/green/2023-*.parquet"
    error_message = "named months take the place of all"
  }
}

run "held_out_months_without_months_to_train_on_are_refused" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    pipeline = { dataset = "green", months = [], holdout_months = ["2023-03"], newest_months = 3, fetch_months = true }
  }

  expect_failures = [aws_ecs_task_definition.main["pipeline"]]
}

run "named_months_are_read" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    pipeline = { dataset = "green", months = ["2023-01", "2023-02"], holdout_months = ["2023-03"], newest_months = 3, fetch_months = true }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["pipeline"].container_definitions)[0].command == ["pipeline", "--dataset", "green", "--month", "2023-01", "--month", "2023-02", "--holdout-month", "2023-03"]
    error_message = "named months take the place of the newest ones"
  }
}

run "schedules_of_an_unknown_task_or_too_many_retries_are_refused" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    schedules = {
      unknown = { task = "dask-worker", expression = "rate(1 day)", timezone = "UTC", enabled = true }
      keyless = { task = "retrain", expression = "rate(1 day)", timezone = "UTC", enabled = true }
      retries = { task = "train", expression = "rate(1 day)", timezone = "UTC", enabled = true, max_retries = 186 }
    }
  }

  expect_failures = [aws_scheduler_schedule.main["unknown"], aws_scheduler_schedule.main["keyless"], aws_scheduler_schedule.main["retries"]]
}

run "the_module_as_a_new_account_takes_it" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    schedules = {
      daily-monitor = { task = "monitor", command = ["monitor", "--problem", "own"], expression = "cron(0 8 * * ? *)", timezone = "UTC", enabled = true, max_retries = 1 }
      daily         = { task = "compare", workflow = "daily-comparison", expression = "cron(0 8 * * ? *)", timezone = "UTC", enabled = true }
      own           = { task = "sweep", expression = "cron(0 8 * * ? *)", timezone = "UTC", enabled = true }
    }
  }

  override_resource {
    target          = aws_ecs_cluster.main
    override_during = plan
    values          = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/cabstand-test" }
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.dead_tasks.event_pattern).detail.clusterArn == ["arn:aws:ecs:us-east-1:123456789012:cluster/cabstand-test"]
    error_message = "the rule must watch this cluster alone"
  }

  assert {
    condition     = local.environment.CABSTAND_MONITOR_BIAS == "0.15" && local.environment.CABSTAND_HOME == "/work"
    error_message = "tasks must take further settings, and keep those that Terraform sets"
  }

  assert {
    condition     = alltrue([for one in values(aws_scheduler_schedule.main) : one.target[0].ecs_parameters[0].propagate_tags == "TASK_DEFINITION"])
    error_message = "the budget must see scheduled tasks"
  }

  assert {
    condition     = sum([for task in ["compare", "sweep", "pipeline"] : local.tasks[task].vcpu]) <= 6 && sum([for task in ["monitor", "retrain", "compare"] : local.tasks[task].vcpu]) <= 6 && max([for task in values(local.tasks) : task.vcpu]...) <= 6
    error_message = "a new account may use 6 Fargate vCPUs at once"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.main["pipeline"].container_definitions)[0].command == ["pipeline", "--dataset", "green", "--newest", "4"]
    error_message = "without named months, the pipeline reads the newest ones"
  }

  assert {
    condition     = aws_scheduler_schedule.main["daily-monitor"].target[0].retry_policy[0].maximum_retry_attempts == 1 && aws_scheduler_schedule.main["daily-monitor"].schedule_expression_timezone == "UTC"
    error_message = "a schedule must take its retries and its time zone"
  }

  assert {
    condition = aws_scheduler_schedule.main["daily"].target[0].input == join("", [
      "{\"containerOverrides\":[{\"command\":[\"workflow\",\"run\",\"daily-comparison\",\"--scheduled\",\"<aws.scheduler.scheduled-time>\",",
      "\"--\",\"--input\",\"newest:green\"],\"environment\":[{\"name\":\"CABSTAND_EVENT_ID\",\"value\":\"<aws.scheduler.execution-id>\"}],\"name\":\"task\"}]}",
    ])
    error_message = "a workflow must get the options of its task, and the time in the form that Scheduler replaces"
  }

  assert {
    condition     = !contains(keys(jsondecode(aws_scheduler_schedule.main["own"].target[0].input).containerOverrides[0]), "command")
    error_message = "without a workflow and a command, the task's own command must run"
  }
}

run "an_event_of_the_monitor_starts_a_retraining_of_its_decision" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    pipeline = { dataset = "yellow", months = [], holdout_months = [], newest_months = 2, fetch_months = false }
  }

  override_resource {
    target          = aws_iam_role.retraining_rule
    override_during = plan
    values          = { arn = "arn:aws:iam::123456789012:role/cabstand-test-retraining-rule" }
  }

  override_resource {
    target          = aws_sqs_queue.dead_letters
    override_during = plan
    values          = { arn = "arn:aws:sqs:us-east-1:123456789012:cabstand-test-dead-letters" }
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.retraining.event_pattern) == { source = ["cabstand.monitor"], detail-type = ["Retraining wanted"], detail = { problem = [{ exists = true }], key = [{ exists = true }] } }
    error_message = "the rule takes what the monitor wants, and nothing without a key"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.retraining.event_bus_name == "cabstand-test" && aws_cloudwatch_event_target.retraining.event_bus_name == "cabstand-test"
    error_message = "dev's events must not start prod's tasks: each environment has its bus"
  }

  # What EventBridge sends, with the values of an event in place of the placeholders.
  assert {
    condition     = jsondecode(replace(replace(replace(aws_cloudwatch_event_target.retraining.input_transformer[0].input_template, "<event>", "\"e 1\""), "<problem>", "\"trip-duration\""), "<key>", "\"k 1\"")) == { containerOverrides = [{ name = "task", command = ["retrain", "--newest", "2", "--no-fetch", "--problem", "trip-duration", "--key", "k 1"], environment = [{ name = "CABSTAND_EVENT_ID", value = "e 1" }] }] }
    error_message = "the task must get the problem and the decision of the event, and the months of the environment"
  }

  assert {
    condition     = aws_cloudwatch_event_target.retraining.role_arn == aws_iam_role.retraining_rule.arn && aws_cloudwatch_event_target.retraining.dead_letter_config[0].arn == aws_sqs_queue.dead_letters.arn
    error_message = "the rule has a role of its own, and what it could not start rings the alarm"
  }

  assert {
    condition     = aws_cloudwatch_event_target.retraining.retry_policy[0].maximum_event_age_in_seconds == 21600 && aws_cloudwatch_event_target.retraining.retry_policy[0].maximum_retry_attempts == 185
    error_message = "a retraining waits for up to six hours while other tasks use the quota up"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.main["monitor"].container_definitions)[0].environment, { name = "CABSTAND_MONITOR_EVENT_BUS", value = "cabstand-test" })
    error_message = "the monitor must know the bus"
  }

  assert {
    condition     = !contains(local.task_roles.monitoring.policies, "write-bundles") && !contains(local.task_roles.monitoring.policies, "write-lake")
    error_message = "the monitor asks for a retraining, and changes neither model nor trips"
  }
}

run "a_collector_beside_each_task_only_if_there_is_an_image" {
  command = plan

  module {
    source = "./modules/batch"
  }

  variables {
    collector_image = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3"
  }

  assert {
    condition = alltrue([for task in values(aws_ecs_task_definition.main) : length(jsondecode(task.container_definitions)) == 2 &&
      sum(jsondecode(task.container_definitions)[*].memory) <= tonumber(task.memory) && jsondecode(task.container_definitions)[0].dependsOn[0].containerName == "collector"
    ])
    error_message = "each task must have a collector that ends after it, within the task's memory"
  }

  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.main["train"].container_definitions)[0].environment, { name = "OTEL_EXPORTER_OTLP_ENDPOINT", value = "http://127.0.0.1:4318" })
    error_message = "tasks must send their spans to the collector"
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy.send_traces)) == toset(keys(local.task_roles))
    error_message = "each task's role must be allowed to send traces"
  }
}
