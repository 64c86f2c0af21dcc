"""Sections of a recipe that contradict each other, or of which one would be ignored."""

from typing import Any

from kcnn.recipe.train import Train


def check_sections(recipe: Any) -> None:
    """Raise a ValueError for a `Recipe` whose sections do not go together."""
    _check_trained(recipe)
    if recipe.transfer:
        _check_transfer(recipe)
    if recipe.data.sampling == "balanced" and recipe.train.class_weight == "balanced":
        raise ValueError(
            "data.sampling='balanced' and train.class_weight='balanced' are two ways to the same: "
            "keep one of them."
        )
    if recipe.prune and recipe.cluster and recipe.cluster.clusters < 3:
        raise ValueError(
            "cluster.clusters must be at least 3 with prune, as zero is one of the values. "
            f"Received: {recipe.cluster.clusters}"
        )
    if recipe.quantize_aware and not recipe.quantize:
        raise ValueError(
            "quantize_aware is for the int8 file that the section quantize writes: keep both."
        )


def _check_trained(recipe: Any) -> None:
    # Files of runs from before "auto" was the default say float32.
    idle = recipe.train in (Train(), Train(precision="float32"))
    if recipe.trained and (recipe.transfer or recipe.distill or recipe.model.options or not idle):
        raise ValueError(
            "with trained, nothing is built or trained: leave train, transfer, distill and "
            "model.options out (by --set 'train={}' and the like)."
        )


def _check_transfer(recipe: Any) -> None:
    train = recipe.train
    if recipe.model.options:
        raise ValueError(
            "model.options mean nothing with transfer: the base decides the network. "
            f"Received: {recipe.model.options}"
        )
    if recipe.transfer and not recipe.transfer.trainable_from and train.optimizer == "muon":
        raise ValueError(
            "muon is for filters, and transfer freezes all of them: set "
            "transfer.trainable_from, or leave it out. Received: train.optimizer='muon'"
        )
    if train.whitening_epochs:
        raise ValueError(
            "whitening_epochs is for a network that is whitened, which transfer does not do. "
            f"Received: train.whitening_epochs={train.whitening_epochs}"
        )
    if train.precision == "mixed_bfloat16":
        raise ValueError(
            "transfer trains its base in float32: leave train.precision out. "
            f"Received: train.precision={train.precision!r}"
        )
