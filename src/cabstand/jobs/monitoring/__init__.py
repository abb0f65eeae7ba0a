"""The evidence of a monitored window: its pages, its record, and what MLflow keeps of it."""
