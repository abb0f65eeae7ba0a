"""Trials of clustering engines against each other, and the table made from them."""
