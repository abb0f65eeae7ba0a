"""What the jobs that publish a folder of results share."""
