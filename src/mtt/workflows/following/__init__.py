"""How a training is followed from Python: the table of its epochs, and its progress."""
