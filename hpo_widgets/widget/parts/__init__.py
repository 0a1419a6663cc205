"""The parts of the panel, each usable alone."""
