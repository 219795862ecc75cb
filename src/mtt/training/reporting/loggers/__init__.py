"""Loggers by name: each file is one (:mod:`mtt.discovery`), and holds a ``LoggerKind``."""
