"""Pictures and self-contained pages, made from what the jobs have published."""
