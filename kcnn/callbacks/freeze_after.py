"""Layers that train in the first epochs only."""

from typing import Any

import keras

from kcnn.checks import check_count


class FreezeAfter(keras.callbacks.Callback):
    """Trains a layer for the first epochs only; later steps leave its weights and their cost out.

    Use it where a layer near the image is good early, as the bias of `speed_net`'s whitening layer:
    with the layer, the gradient of its outputs is left out of every step. The step is traced again,
    which takes seconds. After the training the layer is trainable as before.

    It works on TensorFlow only, and without weights that the optimizer averages (ema): both go
    through all variables that the training began with.

    Paper: Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.1.

    Args:
        layer: its name.
        epochs: how many epochs it trains.

    Raises:
        ValueError: `epochs` is no count, or, when the training begins, it cannot work.

    >>> callback = FreezeAfter("whiten", epochs=3)
    """

    def __init__(self, layer: str, *, epochs: int) -> None:
        super().__init__()
        check_count("epochs", epochs)
        self.layer, self.epochs = layer, epochs
        self._frozen: list[keras.Variable] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check that it can work."""
        model: Any = self.model
        if keras.config.backend() != "tensorflow":
            raise ValueError(
                "FreezeAfter works on TensorFlow only: leave it out, or set "
                f"KERAS_BACKEND=tensorflow. Received: {keras.config.backend()!r}"
            )
        if model.optimizer.use_ema:
            raise ValueError("FreezeAfter cannot work with averaged weights: leave ema out.")
        model.get_layer(self.layer)  # raises a ValueError that names the layers there are
        self._frozen = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Freeze the layer when it is time; also in a training that goes on after that epoch."""
        model: Any = self.model
        if epoch < self.epochs or self._frozen:
            return
        self._frozen = model.get_layer(self.layer).trainable_variables
        for variable in self._frozen:
            variable.trainable = False
        model.make_train_function(force=True)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Make the layer trainable again."""
        model: Any = self.model
        for variable in self._frozen:
            variable.trainable = True
        if self._frozen:
            model.train_function = None  # it was traced without the layer
        self._frozen = []
