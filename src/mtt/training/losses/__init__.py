"""Loss terms, their weights, and their gradients."""
