"""A search of ClearML's own SDK as a `Search`: a live controller, or one that is known by its optimizer Task only."""
