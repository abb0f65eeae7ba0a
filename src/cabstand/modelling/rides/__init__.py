"""Rides with a duration: their examples, their features, and expected minutes by pair of zones."""
