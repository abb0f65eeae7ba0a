"""The parts of a pipeline run: the months that it reads, and the key that holds all that decides its result."""
