"""Losses by name: each file is one (:mod:`mtt.discovery`), and holds a :class:`ElementwiseLoss`."""
