"""Write `kcnn/models/facts.json` from the models: what `kcnn models` prints without building them.

    python docs/update_models.py

A test compares the file with the models.
"""

import json
from dataclasses import asdict

import keras

from kcnn import models
from kcnn.arithmetic import model_arithmetic
from kcnn.models import facts


def compute_facts(model: keras.Model) -> facts.Facts:
    """Return the facts about a built model."""
    cost = model_arithmetic(model)
    return facts.Facts(
        parameters=cost.parameters,
        trainable_parameters=cost.trainable_parameters,
        macs=cost.macs,
        receptive_field=cost.receptive_field,
    )


if __name__ == "__main__":
    every = {name: asdict(compute_facts(models.build(name))) for name in models.names()}
    facts.FILE.write_text(json.dumps(every, indent=2) + "\n", encoding="utf-8")
