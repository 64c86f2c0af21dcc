"""A recipe: everything that decides a run, as frozen, typed and checked data.

`train`, `compression` and `sections` have the parts of a recipe, `text` its JSON and the overrides
of a command line.

>>> recipe = Recipe(model=Model(name="resnet20"), train=Train(epochs=40))
>>> override(recipe, ["train.epochs=5", "prune=none"]).train.epochs
5
"""

from kcnn.recipe.compression import Cluster, Prune, Quantize, QuantizeAware, Slim
from kcnn.recipe.sections import Data, Distill, Explain, Model, Recipe, Transfer
from kcnn.recipe.text import from_json, override, to_json
from kcnn.recipe.train import Train

__all__ = [
    "Cluster",
    "Data",
    "Distill",
    "Explain",
    "Model",
    "Prune",
    "Quantize",
    "QuantizeAware",
    "Recipe",
    "Slim",
    "Train",
    "Transfer",
    "from_json",
    "override",
    "to_json",
]
