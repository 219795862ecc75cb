"""How results, checks, runs and progress look in a terminal or in a pipe."""
