"""Optimizers of pytorch-optimizer, the extra ``optimizers``."""
