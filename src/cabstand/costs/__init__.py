"""What the account costs, computed offline from a plan and a dated price table; pure."""
