"""Searches whose trials are ClearML Tasks; the only folder that imports ``clearml``."""
