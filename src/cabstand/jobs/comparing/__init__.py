"""Trials of clustering engines, and the table that summarises them."""
