"""The settings of a training that its state is compared with before the training goes on."""

import json
from typing import Any

import keras


def optimizer_settings(optimizer: Any) -> dict[str, Any]:
    """Return the optimizer's class and configuration as plain JSON, without its name.

    >>> settings = optimizer_settings(keras.optimizers.SGD(0.5, momentum=0.25))
    >>> settings["optimizer"], settings["learning_rate"], settings["momentum"]
    ('SGD', 0.5, 0.25)
    """
    # What `kcnn.training.make_optimizer` adds to Keras's configuration.
    own = json.loads(getattr(optimizer, "_kcnn_settings", "{}"))
    name = optimizer.__class__.__name__  # not its type: kcnn's optimizers appear as Keras's own
    return {"optimizer": name, **_plain(optimizer.get_config()), **own}


def loss_settings(loss: Any) -> Any:
    """Return the loss that `compile` was given as plain JSON: a name, or a class and its arguments.

    >>> loss_settings("mse"), loss_settings({"a": keras.losses.mean_squared_error})
    ('mse', {'a': 'mean_squared_error'})
    >>> loss_settings(keras.losses.Huber(delta=2.0))["delta"]
    2.0
    """
    if isinstance(loss, dict):
        return {str(name): loss_settings(each) for name, each in loss.items()}
    if isinstance(loss, list | tuple):
        return [loss_settings(each) for each in loss]
    if isinstance(loss, keras.losses.Loss):
        arguments = getattr(loss, "_fn_kwargs", {})  # of which not all are in the configuration
        return {"loss": type(loss).__name__, **_plain(loss.get_config() | arguments)}
    if loss is None or isinstance(loss, str):
        return loss
    return getattr(loss, "__name__", type(loss).__name__)


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    # The text of a function has its address, which differs from process to process.
    plain = json.loads(json.dumps(config, default=lambda each: type(each).__name__))
    plain.pop("name", None)  # Keras numbers the optimizers of a process
    return plain
