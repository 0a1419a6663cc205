"""How trials run: the contract of engines and templates, worker processes of this machine, ClearML Tasks."""
