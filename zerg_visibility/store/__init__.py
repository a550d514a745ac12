"""Commis directories on disk."""
