"""One file a family of networks.

They lie one folder below `kcnn.models` because a module `kcnn.models.alexnet` would hide the
builder of the same name.
"""
