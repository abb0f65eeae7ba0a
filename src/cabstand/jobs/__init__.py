"""What the commands do: one job a file, each with `run(settings, params)`.

A wrong parameter or input raises a ConfigError or DataError. A StorageError or RegistryError means that the lake, the
artifact store or MLflow fails, and a TaskError that AWS, Terraform or a process does. Results are published whole or
not at all.
"""
