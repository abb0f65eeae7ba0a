# Each job ends with one JSON log line: event job_finished, job, status, wall_s, peak_rss_mb. These filters turn it into metrics. A
# metric from several log groups is one metric, billed only for the hours in which a job ran.
locals {
  # A workflow produces data that others use; an experiment only measures.
  kind_of_task = {
    cluster-sequential = "Workflow"
    cluster-multicore  = "Workflow"
    pipeline           = "Workflow"
    compare            = "Experiment"
    sweep              = "Experiment"
    train              = "Experiment"
  }

  measures = {
    Runs          = { pattern = "{ $.event = \"job_finished\" }", value = "1", unit = "Count" }
    Failures      = { pattern = "{ $.event = \"job_finished\" && $.status = \"failed\" }", value = "1", unit = "Count" }
    WallSeconds   = { pattern = "{ $.event = \"job_finished\" && $.wall_s = * }", value = "$.wall_s", unit = "Seconds" }
    PeakMemoryMiB = { pattern = "{ $.event = \"job_finished\" && $.peak_rss_mb = * }", value = "$.peak_rss_mb", unit = "None" }
  }

  job_filters = merge([
    for task, kind in local.kind_of_task : {
      for measure, how in local.measures : "${task}/${measure}" => merge(how, { group = var.batch.task_log_groups[task], metric = "${kind}${measure}" })
    }
  ]...)
}

resource "aws_cloudwatch_log_metric_filter" "job" {
  for_each = local.job_filters

  name           = replace(each.key, "/", "-")
  log_group_name = each.value.group
  pattern        = each.value.pattern

  metric_transformation {
    namespace = var.metrics_namespace
    name      = each.value.metric
    value     = each.value.value
    unit      = each.value.unit
  }
}
