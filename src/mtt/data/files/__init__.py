"""Files to frames: formats, and what is wrong with them."""
