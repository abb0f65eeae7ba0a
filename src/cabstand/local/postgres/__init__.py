"""A private PostgreSQL server, which stands in for RDS: its master user is no superuser there either."""
