"""How a search and its widgets keep in step: changes out at most ten times a second, commands in."""
