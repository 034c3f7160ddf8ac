"""Bugs that were planted, each a patch whose first line says what it does: what the simulation has to find."""
