"""How one trial runs on this machine: persistent workers for callables, a process each for scripts."""
