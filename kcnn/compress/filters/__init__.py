"""Whole filters taken out of a network: which belong together, which go, and what is left.

`channels` and `rules` find out which filters stand and fall together, `ranking` decides, `rebuild`
makes the smaller model; `slimming` is the door.
"""
