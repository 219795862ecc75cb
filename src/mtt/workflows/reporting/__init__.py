"""The report of a run: written by trainings, made again and compared by commands."""
