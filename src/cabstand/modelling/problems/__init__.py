"""The problems that are shipped, one a file."""
