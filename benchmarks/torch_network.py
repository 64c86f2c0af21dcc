"""A Keras network's graph as a `torch.nn.Module` with the same weights."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# What does not look at its own output in the backward pass: a ReLU behind it may overwrite that.
_OVERWRITABLE = ("Add", "BatchNormalization", "Conv2D", "Dense")


class TorchNetwork(nn.Module):
    """The network that `kcnn.compress.graph` told of, for images [B, C, H, W] of 0 to 255.

    Args:
        layers: as `describe` tells of them.
        weights: as `weights` names them.

    Raises:
        ValueError: a layer is of a kind, or has an option, that is not known here.

    >>> image = {"name": "image", "class_name": "InputLayer", "config": {}, "inputs": []}
    >>> flat = {"name": "flat", "class_name": "Flatten", "config": {}, "inputs": ["image"]}
    >>> TorchNetwork([image, flat], {})(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 48])
    """

    def __init__(self, layers: Sequence[dict], weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._layers = list(layers)
        self._last_use = {source: layer["name"] for layer in layers for source in layer["inputs"]}
        kinds = {layer["name"]: layer["class_name"] for layer in layers}
        uses = Counter(source for layer in layers for source in layer["inputs"])
        self._modules_in_order = nn.ModuleList()
        for layer in layers:
            kind = layer["class_name"]
            if kind not in _MAKERS:
                raise ValueError(
                    f"Layer {layer['name']!r} is a {kind}. Known: {', '.join(sorted(_MAKERS))}."
                )
            module = _MAKERS[kind](layer["config"], _own(layer["name"], weights))
            if kind == "ReLU":
                (source,) = layer["inputs"]
                module.inplace = uses[source] == 1 and kinds[source] in _OVERWRITABLE
            self._modules_in_order.append(module)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [B, classes]."""
        tensors: dict[str, Tensor] = {}
        for layer, module in zip(self._layers, self._modules_in_order, strict=True):
            name, sources = layer["name"], layer["inputs"]
            inputs = [tensors[source] for source in sources] or [images.float()]
            for source in sources:
                if self._last_use[source] == name:
                    del tensors[source]  # held no longer than in a hand-written `forward`
            tensors[name] = module(*inputs)
        return tensors[self._layers[-1]["name"]]

    def parameter_count(self) -> int:
        """Return the number of all weights as Keras counts them, moving averages included."""
        averages = [
            average
            for module in self.modules()
            if isinstance(module, nn.BatchNorm2d)
            for average in (module.running_mean, module.running_var)
        ]
        return sum(tensor.numel() for tensor in [*self.parameters(), *averages])


class _Function(nn.Module):
    """A function without weights, as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self._function(*inputs)


class _Normalization(nn.Module):
    """Shift and scale each channel by constants."""

    def __init__(self, config: dict, weights: list[Tensor]) -> None:
        super().__init__()
        _require(config, invert=False)
        mean, variance = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "variance"))
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", variance.sqrt())

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation


def _own(name: str, weights: Mapping[str, np.ndarray]) -> list[Tensor]:
    count = sum(key.rpartition("/")[0] == name for key in weights)
    return [torch.from_numpy(weights[f"{name}/{i}"]) for i in range(count)]


def _require(config: dict, **expected: object) -> None:
    for key, value in expected.items():
        received = config.get(key, value)
        plain = list(received) if isinstance(received, tuple) else received
        if plain != value:
            raise ValueError(f"{key} must be {value!r}. Received: {received!r}")


def _conv(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, activation="linear", groups=1, dilation_rate=[1, 1])
    kernel, *bias = weights
    *size, channels, filters = kernel.shape
    strides = tuple(config["strides"])
    same = config["padding"] == "same"
    even = same and strides == (1, 1) and all(length % 2 for length in size)
    module = nn.Conv2d(
        channels,
        filters,
        size,
        strides,
        padding=[length // 2 for length in size] if even else 0,
        bias=bool(bias),
    )
    _set(module, [kernel.permute(3, 2, 0, 1), *bias])
    if same and not even:
        return nn.Sequential(_Function(lambda images: _pad_same(images, size, strides)), module)
    return module


def _pad_same(images: Tensor, size: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Pad as Keras's "same" does where both sides do not get the same: more below and right."""
    padding: list[int] = []
    for length, kernel, stride in zip(images.shape[2:], size, strides, strict=True):
        missing = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        padding = [missing // 2, missing - missing // 2, *padding]
    return functional.pad(images, padding) if any(padding) else images


def _dense(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, activation="linear")
    kernel, *bias = weights
    module = nn.Linear(*kernel.shape, bias=bool(bias))
    _set(module, [kernel.T, *bias])
    return module


def _batch_norm(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, center=True, scale=True)
    gamma, beta, mean, variance = weights
    module = nn.BatchNorm2d(len(gamma), config["epsilon"], 1 - config["momentum"])
    _set(module, [gamma, beta])
    module.running_mean.copy_(mean)
    module.running_var.copy_(variance)
    return module


def _set(module: nn.Module, weights: list[Tensor]) -> None:
    with torch.no_grad():
        for own, given in zip(module.parameters(), weights, strict=True):
            own.copy_(given)


def _zero_padding(config: dict, weights: list[Tensor]) -> nn.Module:
    first, second = config["padding"]
    if config.get("data_format") == "channels_first":
        # To Keras, of these images with their channels last, a padding of (width, channels).
        return _Function(lambda images: functional.pad(images, (*first, 0, 0, *second)))
    return _Function(lambda images: functional.pad(images, (*second, *first)))


def _relu(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, max_value=None, negative_slope=0.0, threshold=0.0)
    return nn.ReLU()


def _max_pooling(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, padding="valid")
    return nn.MaxPool2d(tuple(config["pool_size"]), tuple(config["strides"]))


def _average_pooling(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, padding="valid")
    size, (down, right) = tuple(config["pool_size"]), config["strides"]
    if size == (1, 1):
        return _Function(lambda images: images[:, :, ::down, ::right])
    return nn.AvgPool2d(size, (down, right))


def _global_average(config: dict, weights: list[Tensor]) -> nn.Module:
    _require(config, keepdims=False)
    return _Function(lambda images: images.mean((2, 3)))


def _flatten(config: dict, weights: list[Tensor]) -> nn.Module:
    # In Keras's order, the channels last, for the dense layer's weights are in that order.
    return _Function(lambda images: images.permute(0, 2, 3, 1).flatten(1))


_MAKERS: dict[str, Callable[[dict, list[Tensor]], nn.Module]] = {
    "Add": lambda config, weights: _Function(torch.add),
    "AveragePooling2D": _average_pooling,
    "BatchNormalization": _batch_norm,
    "Conv2D": _conv,
    "Dense": _dense,
    "Dropout": lambda config, weights: nn.Dropout(config["rate"]),
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "InputLayer": lambda config, weights: nn.Identity(),
    "MaxPooling2D": _max_pooling,
    "Normalization": _Normalization,
    "ReLU": _relu,
    "SpatialDropout2D": lambda config, weights: nn.Dropout2d(config["rate"]),
    "ZeroPadding2D": _zero_padding,
}
