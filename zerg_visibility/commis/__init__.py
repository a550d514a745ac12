"""Wrapping, measuring and storing one commis."""
