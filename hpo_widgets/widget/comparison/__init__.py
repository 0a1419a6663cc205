"""Several searches side by side: a race of strategies, and searches that were run anyway."""
