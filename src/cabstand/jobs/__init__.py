"""One workflow a file, each with `run(settings, params)`."""
