# Tasks that died without a last log line of their own go to the same queue as those that could not be started: no image or no
# capacity, out of memory, killed. A job that fails by itself logs it; a task that somebody stopped is no fault.
locals {
  dead_task = {
    clusterArn = [aws_ecs_cluster.main.arn]
    lastStatus = ["STOPPED"]
    "$or" = [
      { stopCode = ["TaskFailedToStart"] },
      { stopCode = ["EssentialContainerExited"], containers = { exitCode = [137, 139] } },
      { stopCode = ["EssentialContainerExited"], containers = { reason = [{ prefix = "OutOfMemory" }, { prefix = "CannotPull" }] } },
    ]
  }
}

resource "aws_cloudwatch_event_rule" "dead_tasks" {
  name        = "${var.name}-dead-tasks"
  description = "Tasks that never started, ran out of memory or were killed."

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail      = local.dead_task
  })
}

resource "aws_cloudwatch_event_target" "dead_tasks" {
  rule      = aws_cloudwatch_event_rule.dead_tasks.name
  target_id = "dead-letters"
  arn       = aws_sqs_queue.dead_letters.arn
}
