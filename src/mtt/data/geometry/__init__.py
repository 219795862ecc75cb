"""Neighbour lists within the limits of memory and of vesin."""
