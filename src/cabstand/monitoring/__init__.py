"""Reserved for drift monitoring (planned)."""
