"""From a recipe to its receipts: the only reader of a recipe's fields.

`recipe_run` has the whole story of a run on one page, `comparison_run` that of a comparison.
`stages` is the table of all that a run can do with its trained model; `plan` follows that table.
Keras is imported only when it is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
