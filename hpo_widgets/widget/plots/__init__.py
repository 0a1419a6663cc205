"""Live bqplot figures of a search."""
