"""What the sweep of parameters consists of."""
