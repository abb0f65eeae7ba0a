# One entry for each task definition: its size, the role it runs as, and the command it runs in the batch image. Scheduled tasks may
# overlap, so together they need no more than the 6 Fargate vCPUs that a new account may use at once.
locals {
  # Unless an input is named: what the pipeline ingested.
  clustering_input = var.inputs.clustering == null ? "newest:${var.pipeline.dataset}" : "${var.storage.lake_uri}/${var.inputs.clustering}"
  training_input   = "${var.storage.lake_uri}/${var.inputs.training == null ? "trips/${var.pipeline.dataset}" : var.inputs.training}"

  named_months = concat(
    flatten([for month in var.pipeline.months : ["--month", month]]),
    flatten([for month in var.pipeline.holdout_months : ["--holdout-month", month]]),
  )
  newest_months   = concat(["--newest", tostring(var.pipeline.newest_months)], var.pipeline.fetch_months ? [] : ["--no-fetch"])
  pipeline_months = length(var.pipeline.months) > 0 ? local.named_months : local.newest_months

  tasks = {
    cluster-sequential = {
      vcpu    = 1
      memory  = 4
      role    = "clustering"
      command = ["cabstand", "cluster", "--input", local.clustering_input, "--engine", "sequential"]
    }
    cluster-multicore = {
      vcpu    = var.multicore_vcpu
      memory  = var.multicore_vcpu * 2
      role    = "distributing"
      command = ["cabstand", "cluster", "--input", local.clustering_input, "--engine", "multicore", "--workers", tostring(var.multicore_vcpu)]
    }
    compare = {
      vcpu    = 2
      memory  = 16
      role    = "clustering"
      command = ["cabstand", "compare", "--input", local.clustering_input]
    }
    sweep = {
      vcpu    = 2
      memory  = 8
      role    = "clustering"
      command = ["cabstand", "sweep", "--input", local.clustering_input]
    }
    train = {
      vcpu    = 2
      memory  = 8
      role    = "training"
      command = ["cabstand", "train", "--problem", "trip-duration", "--input", local.training_input]
    }
    pipeline = {
      vcpu    = 2
      memory  = 16
      role    = "pipeline"
      command = concat(["cabstand", "pipeline", "--dataset", var.pipeline.dataset], local.pipeline_months)
    }
    monitor = {
      vcpu    = 1
      memory  = 4
      role    = "monitoring"
      command = ["cabstand", "monitor", "--problem", "trip-duration"]
    }
    # Started by the rule, which adds the key of the decision, or by hand. It runs the pipeline, with as much memory.
    retrain = {
      vcpu    = 2
      memory  = 16
      role    = "retraining"
      command = concat(["cabstand", "retrain"], local.newest_months)
    }
    # Started by a distributed run, never by a schedule. It exits if its scheduler cannot be reached for a minute, and at the end
    # of its lifetime. The run passes the scheduler's address as DASK_SCHEDULER_ADDRESS.
    dask-worker = {
      vcpu    = 2
      memory  = 8
      role    = "worker"
      command = ["cabstand", "dask-worker"]
    }
  }
}
