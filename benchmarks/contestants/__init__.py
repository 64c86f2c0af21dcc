"""The loops that are timed, one file for each framework.

A loop takes its `race.Spec` and its `turns.Turns`. It prepares itself, stores facts about itself in
`turns.facts`, and then runs without end and calls `turns.step` after each step. It imports its
framework only after the process has been limited to its cores: inside the function, or at the top
of a file that no other process imports.

Random crop and flip are the same for all: pad the image with 4 black pixels on each side, cut out a
window of the original size, and mirror it with probability 1/2.
"""

BORDER = 4
# Steps of an epoch that never ends: one call of `fit` serves all turns.
FOREVER = 10**9

# The names of two of the input pipelines in the results.
KCNN = "kcnn.data"
MAP_OF_EXAMPLES = "map of keras.layers.Random* on each example"
