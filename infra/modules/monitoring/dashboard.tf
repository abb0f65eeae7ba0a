locals {
  # One entry for each graph of the catalogue that has something of CloudWatch.
  graphs = [
    for panel in local.catalogue.panels : {
      title  = panel.title
      stat   = panel.cloudwatch.stat
      period = panel.cloudwatch.period
      metrics = [
        for metric in panel.cloudwatch.metrics :
        concat([try(panel.cloudwatch.namespace, var.metrics_namespace), metric], try([panel.cloudwatch.dimension[0], local.resources[panel.cloudwatch.dimension[1]]], []))
      ]
    } if can(panel.cloudwatch)
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
