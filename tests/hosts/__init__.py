"""A package, so that fixtures of the scope of a package end with its last test."""
