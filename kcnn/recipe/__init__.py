"""A recipe: everything that decides a run, as frozen, typed and checked data.

`inputs`, `train` and `sections` have the parts of a recipe, `text` its JSON and the overrides of a
command line.

>>> recipe = Recipe(model=Model(name="resnet20"), train=Train(epochs=40))
>>> override(recipe, ["train.epochs=5", "prune=none"]).train.epochs
5
"""

from kcnn.recipe import sections
from kcnn.recipe.dependent import DEPENDENT
from kcnn.recipe.inputs import Data, Distill, Model, Transfer
from kcnn.recipe.muon import Muon
from kcnn.recipe.sections import *  # noqa: F403  so that a section is named in its own file alone
from kcnn.recipe.text import from_json, from_values, left_out, override, to_json, to_values
from kcnn.recipe.train import Train

__all__ = ["DEPENDENT", "Data", "Distill", "Model", "Muon", "Train", "Transfer"]
__all__ += ["from_json", "from_values", "left_out", "override", "to_json", "to_values"]
__all__ += sections.__all__
