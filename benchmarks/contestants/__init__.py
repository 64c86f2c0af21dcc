"""The loops that are timed, a file for each framework.

A loop takes its `race.Spec` and its `turns.Turns`, prepares itself, puts what is to be known of it
into `turns.facts`, and then works without end, calling `turns.step` after each step. Frameworks are
imported inside the functions, after the process was kept to its cores.

Crop and mirror are the same for all: a window of the old size out of the image with a border of 4
black pixels, mirrored every second time.
"""

BORDER = 4
FOREVER = 10**9
"""Steps of an epoch that never ends: one call of `fit` serves all turns."""

# Two of the input pipelines, as they are called in the results.
KCNN = "kcnn.data"
MAP_OF_EXAMPLES = "map of keras.layers.Random* on each example"
