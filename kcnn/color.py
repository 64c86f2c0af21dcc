"""How colors become gray."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a gray value, by ITU-R BT.601; they add up to 1."""
