"""When a training ends early: patience, time limits, signals."""
