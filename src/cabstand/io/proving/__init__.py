"""Bundles are hostile until proved: each is tried in a process of its own before it is loaded in this one."""
