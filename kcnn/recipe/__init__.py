"""A recipe: everything that decides a run, as frozen, typed and checked data.

`inputs`, `train` and `sections` have the parts of a recipe, `text` its JSON and the overrides of a
command line.

>>> recipe = Recipe(model=Model(name="resnet20"), train=Train(epochs=40))
>>> override(recipe, ["train.epochs=5", "prune=none"]).train.epochs
5
"""

from kcnn.recipe import sections
from kcnn.recipe.inputs import Data, Distill, Model, Transfer
from kcnn.recipe.sections import *  # noqa: F403  so that a section is named in its own file alone
from kcnn.recipe.text import from_json, override, to_json
from kcnn.recipe.train import Muon, Train

__all__ = ["Data", "Distill", "Model", "Muon", "Train", "Transfer"]
__all__ += ["from_json", "override", "to_json"]
__all__ += sections.__all__
