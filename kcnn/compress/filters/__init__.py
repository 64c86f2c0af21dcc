"""Filter pruning: remove whole filters from a network.

`channels` and the rules (`rule`, `rule_table`, `kernel_layers`, `passthrough`) find which channels
can only be removed together, `network` follows them through a model, `ranking` selects the weakest,
and `slimming` has `slim` itself, which builds the smaller model. `recovery` trains that model.
"""
