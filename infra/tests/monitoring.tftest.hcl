mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "cabstand-test"
  metrics_namespace  = "cabstand/test"
  alarm_email        = null
  alarm_webhook_url  = null
  monthly_budget_usd = 60
  budget_by_tag      = false
  max_p99_latency_ms = 1000

  api = {
    api_id             = "abc"
    function_name      = "cabstand-test-api"
    function_log_group = "/aws/lambda/cabstand-test-api"
  }

  batch = {
    task_log_groups        = { for task in ["cluster-sequential", "cluster-multicore", "compare", "sweep", "train", "pipeline", "monitor", "retrain", "dask-worker"] : task => "/cabstand/${task}" }
    dead_letter_queue_name = "cabstand-test-dead-letters"
    dead_letter_queue_arn  = "arn:aws:sqs:us-east-1:123456789012:cabstand-test-dead-letters"
    event_bus_name         = "cabstand-test"
  }

  monitor_is_scheduled = false

  tracking = {
    server_id   = "i-0123456789abcdef0"
    database_id = "cabstand-test-mlflow"
  }
}

run "the_checklist_figures_and_a_budget_from_the_first_day" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.main["workflow-slow"].threshold == 300 && aws_cloudwatch_metric_alarm.main["workflow-slow"].extended_statistic == "p95"
    error_message = "workflows: p95 over 300 s"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.main["experiment-slow"].threshold == 600 && aws_cloudwatch_metric_alarm.main["server-cpu"].threshold == 80
    error_message = "experiments: p95 over 600 s; CPU over 80 %"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.computed["workflow-failures"].threshold == 10 && aws_cloudwatch_metric_alarm.computed["experiment-failures"].threshold == 5 && aws_cloudwatch_metric_alarm.computed["job-memory"].threshold == 8192
    error_message = "failures over 10 % and 5 %; memory over 8 GiB"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.main["server-silent"].period * aws_cloudwatch_metric_alarm.main["server-silent"].evaluation_periods == 120 && aws_cloudwatch_metric_alarm.main["server-silent"].treat_missing_data == "breaching"
    error_message = "two minutes of silence must set off the alarm"
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && length(aws_cloudwatch_log_metric_filter.job) == 32
    error_message = "no email without an address; four measures of eight tasks"
  }

  assert {
    condition     = length(aws_budgets_budget.monthly.cost_filter) == 0
    error_message = "a tag that is not activated hides every cost"
  }
}

run "mail_webhook_and_a_budget_by_tag" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarm_email       = "alarms@example.org"
    alarm_webhook_url = "https://example.org/hook"
    budget_by_tag     = true
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "alarms@example.org" && aws_sns_topic_subscription.webhook[0].protocol == "https"
    error_message = "both must subscribe to the one topic"
  }

  assert {
    condition     = one(aws_budgets_budget.monthly.cost_filter).values == tolist(["user:Deployment$cabstand-test"])
    error_message = "the budget must count this environment alone"
  }
}

run "a_scheduled_monitor_may_not_be_silent_for_two_days" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    monitor_is_scheduled = true
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.computed["monitor-silent"].evaluation_periods == 2 && aws_cloudwatch_metric_alarm.computed["monitor-silent"].treat_missing_data == "breaching"
    error_message = "two days without a run must set off the alarm"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.computed["monitor-silent"].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.computed["monitor-silent"].threshold == 1
    error_message = "one run a day is enough"
  }
}

run "without_schedules_nobody_waits_for_the_monitor" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.computed), "monitor-silent") && length(aws_cloudwatch_metric_alarm.computed) == 3
    error_message = "a monitor that no schedule starts is silent, and that is no fault"
  }
}

run "a_person_reads_of_each_retraining_and_refusal" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  assert {
    condition     = { for name, rule in aws_cloudwatch_event_rule.retraining_message : name => one(jsondecode(rule.event_pattern).detail-type) } == { inspection-wanted = "Inspection wanted", retraining-wanted = "Retraining wanted", retraining-done = "Retraining done", retraining-refused = "Retraining refused" }
    error_message = "one rule for each kind of event"
  }

  assert {
    condition     = alltrue([for one in values(aws_cloudwatch_event_target.retraining_message) : startswith(one.input_transformer[0].input_template, "\"cabstand-test: ") && strcontains(one.input_transformer[0].input_template, "<reason>")])
    error_message = "a sentence, in quotes as EventBridge wants it, with the reason"
  }
}
