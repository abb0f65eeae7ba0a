"""The clock: fires EventBridge Scheduler's schedules and the rules of EventBridge that have a schedule."""
