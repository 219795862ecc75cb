"""Frames to labels: keys, units, masks, and labels that are not what they seem."""
