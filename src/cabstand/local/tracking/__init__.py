"""MLflow as infra/modules/tracking runs it, below a folder that stands in for the server's root."""
