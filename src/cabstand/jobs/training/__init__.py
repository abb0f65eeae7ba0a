"""The parts of a training: its inputs, the bundle's contents, and its MLflow run."""
