"""A live controller of ClearML's own SDK, seen as a search."""
