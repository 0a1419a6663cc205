"""Searches whose trials are ClearML Tasks."""
