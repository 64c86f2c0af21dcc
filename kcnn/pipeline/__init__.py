"""From a recipe to its receipts: the only reader of a recipe's fields."""

from kcnn.pipeline.compare import compare
from kcnn.pipeline.run import run

__all__ = ["compare", "run"]
