"""A search of ClearML's own SDK as a `Search`: a live controller, or one that is seen by its optimizer Task."""
