"""The pipeline's steps and parameters, the months that jobs read, and the key that decides a run's result."""
