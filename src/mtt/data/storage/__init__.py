"""Data sets in memory and on disk: columns, memory maps, packed folders, neighbour pairs."""
