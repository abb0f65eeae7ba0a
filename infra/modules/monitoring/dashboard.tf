locals {
  # One entry for each graph.
  graphs = [
    { title = "Jobs run and failed, a day", stat = "Sum", period = 86400, metrics = [for metric in ["WorkflowRuns", "WorkflowFailures", "ExperimentRuns", "ExperimentFailures"] : [var.metrics_namespace, metric]] },
    { title = "Slowest twentieth of jobs, seconds", stat = "p95", period = 86400, metrics = [for metric in ["WorkflowWallSeconds", "ExperimentWallSeconds"] : [var.metrics_namespace, metric]] },
    { title = "Peak memory of jobs, MiB", stat = "Maximum", period = 86400, metrics = [for metric in ["WorkflowPeakMemoryMiB", "ExperimentPeakMemoryMiB"] : [var.metrics_namespace, metric]] },
    { title = "Requests and errors", stat = "Sum", period = 300, metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", var.api.api_id]] },
    { title = "Latency, slowest hundredth, ms", stat = "p99", period = 300, metrics = [for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, "ApiId", var.api.api_id]] },
    { title = "Function: at once, throttled", stat = "Maximum", period = 300, metrics = [for metric in ["ConcurrentExecutions", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", var.api.function_name]] },
    { title = "Tracking server: CPU, %", stat = "Average", period = 300, metrics = [["AWS/EC2", "CPUUtilization", "InstanceId", var.tracking.server_id]] },
    { title = "Tracking database: free disk, bytes", stat = "Minimum", period = 300, metrics = [["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.tracking.database_id]] },
    { title = "Jobs that could not be started", stat = "Maximum", period = 300, metrics = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.batch.dead_letter_queue_name]] },
  ]
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for index, graph in local.graphs : {
        type       = "metric"
        x          = (index % 3) * 8
        y          = floor(index / 3) * 6
        width      = 8
        height     = 6
        properties = merge(graph, { region = data.aws_region.current.name, view = "timeSeries", stacked = false })
      }
    ]
  })
}
