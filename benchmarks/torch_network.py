"""A Keras network's graph as a `torch.nn.Module` with the same weights."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch  # pyright: ignore[reportMissingImports] - an extra

# Layers that do not need their own output in the backward pass: a following ReLU may overwrite it.
_OVERWRITABLE = ("Add", "BatchNormalization", "Conv2D", "Dense")


class TorchNetwork(torch.nn.Module):
    """A network described by `kcnn.compress.to_keras2`, for images [B, C, H, W] of 0 to 255.

    Args:
        layers: what `kcnn.compress.to_keras2.describe_layers` returned.
        weights: what `kcnn.compress.to_keras2.named_weights` returned.

    Raises:
        ValueError: the class of a layer, or the value of an option, is not supported here.

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
        self._modules_in_order = torch.nn.ModuleList()
        for layer in layers:
            kind = layer["class_name"]
            if kind not in _MAKERS:
                raise ValueError(
                    f"Layer {layer['name']!r} is a {kind}. Known: {', '.join(sorted(_MAKERS))}."
                )
            module = _MAKERS[kind](layer["config"], _own(layer["name"], weights))
            if isinstance(module, torch.nn.ReLU):
                (source,) = layer["inputs"]
                module.inplace = uses[source] == 1 and kinds[source] in _OVERWRITABLE
            self._modules_in_order.append(module)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits [B, classes]."""
        tensors: dict[str, torch.Tensor] = {}
        for layer, module in zip(self._layers, self._modules_in_order, strict=True):
            name, sources = layer["name"], layer["inputs"]
            inputs = [tensors[source] for source in sources] or [images.float()]
            for source in sources:
                if self._last_use[source] == name:
                    del tensors[source]  # as a hand-written `forward` frees it
            tensors[name] = module(*inputs)
        return tensors[self._layers[-1]["name"]]

    def parameter_count(self) -> int:
        """Return the number of weights as Keras counts them: moving averages included."""
        averages = [
            average
            for module in self.modules()
            if isinstance(module, torch.nn.BatchNorm2d)
            for average in (module.running_mean, module.running_var)
        ]
        own = [each for each in self.parameters() if each.requires_grad]
        return sum(tensor.numel() for tensor in [*own, *averages])


class _Function(torch.nn.Module):
    """A module of a function that has no weights."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self._function(*inputs)


class _Normalization(torch.nn.Module):
    """A module that shifts and scales each channel by constants."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, config: dict, weights: list[torch.Tensor]) -> None:
        super().__init__()
        _require(config, invert=False)
        mean, variance = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "variance"))
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", variance.sqrt())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.deviation


def _own(name: str, weights: Mapping[str, np.ndarray]) -> list[torch.Tensor]:
    count = sum(key.rpartition("/")[0] == name for key in weights)
    return [torch.from_numpy(weights[f"{name}/{i}"]) for i in range(count)]


def _require(config: dict, **expected: object) -> None:
    for key, value in expected.items():
        received = config.get(key, value)
        plain = list(received) if isinstance(received, tuple) else received
        if plain != value:
            raise ValueError(f"{key} must be {value!r}. Received: {received!r}")


def _conv(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, activation="linear", groups=1, dilation_rate=[1, 1])
    kernel, *bias = weights
    height, width, channels, filters = kernel.shape
    size = (height, width)
    strides = tuple(config["strides"])
    same = config["padding"] == "same"
    even = same and strides == (1, 1) and all(length % 2 for length in size)
    module = torch.nn.Conv2d(
        channels,
        filters,
        size,
        strides,
        padding=(height // 2, width // 2) if even else 0,
        bias=bool(bias),
    )
    _set(module, [kernel.permute(3, 2, 0, 1), *bias])
    if same and not even:
        return torch.nn.Sequential(
            _Function(lambda images: _pad_same(images, size, strides)), module
        )
    return module


def _pad_same(images: torch.Tensor, size: Sequence[int], strides: Sequence[int]) -> torch.Tensor:
    """Pad as Keras's "same" does: an odd pixel goes below or to the right."""
    padding: list[int] = []
    for length, kernel, stride in zip(images.shape[2:], size, strides, strict=True):
        missing = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        padding = [missing // 2, missing - missing // 2, *padding]
    return torch.nn.functional.pad(images, padding) if any(padding) else images


def _dense(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, activation="linear")
    kernel, *bias = weights
    module = torch.nn.Linear(*kernel.shape, bias=bool(bias))
    _set(module, [kernel.T, *bias])
    return module


def _batch_norm(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, center=True)
    *gamma, beta, mean, variance = weights
    module = torch.nn.BatchNorm2d(len(beta), config["epsilon"], 1 - config["momentum"])
    _set(module, [*(gamma or [torch.ones_like(beta)]), beta])
    module.weight.requires_grad_(bool(gamma))
    module.get_buffer("running_mean").copy_(mean)
    module.get_buffer("running_var").copy_(variance)
    return module


def _set(module: torch.nn.Module, weights: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for own, given in zip(module.parameters(), weights, strict=True):
            own.copy_(given)


def _zero_padding(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    first, second = config["padding"]
    if config.get("data_format") == "channels_first":
        # Keras then pads the last two axes, which are width and channels in these images.
        return _Function(lambda images: torch.nn.functional.pad(images, (*first, 0, 0, *second)))
    return _Function(lambda images: torch.nn.functional.pad(images, (*second, *first)))


def _relu(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, max_value=None, negative_slope=0.0, threshold=0.0)
    return torch.nn.ReLU()


def _max_pooling(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, padding="valid")
    return torch.nn.MaxPool2d(tuple(config["pool_size"]), tuple(config["strides"]))


def _average_pooling(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, padding="valid")
    size, (down, right) = tuple(config["pool_size"]), config["strides"]
    if size == (1, 1):
        return _Function(lambda images: images[:, :, ::down, ::right])
    return torch.nn.AvgPool2d(size, (down, right))


def _activation(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, activation="gelu")
    return torch.nn.GELU()  # the exact one, as Keras's


def _rescaling(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    scale, offset = config["scale"], config["offset"]
    return _Function(lambda values: values * scale + offset)


def _global_maximum(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, keepdims=False)
    return _Function(lambda images: images.amax((2, 3)))


def _global_average(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    _require(config, keepdims=False)
    return _Function(lambda images: images.mean((2, 3)))


def _flatten(config: dict, weights: list[torch.Tensor]) -> torch.nn.Module:
    # Channels last, because the weights of the next dense layer are in that order.
    return _Function(lambda images: images.permute(0, 2, 3, 1).flatten(1))


_MAKERS: dict[str, Callable[[dict, list[torch.Tensor]], torch.nn.Module]] = {
    "Activation": _activation,
    "Add": lambda config, weights: _Function(torch.add),
    "AveragePooling2D": _average_pooling,
    "BatchNormalization": _batch_norm,
    "Conv2D": _conv,
    "Dense": _dense,
    "Dropout": lambda config, weights: torch.nn.Dropout(config["rate"]),
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "GlobalMaxPooling2D": _global_maximum,
    "InputLayer": lambda config, weights: torch.nn.Identity(),
    "MaxPooling2D": _max_pooling,
    "Normalization": _Normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "SpatialDropout2D": lambda config, weights: torch.nn.Dropout2d(config["rate"]),
    "ZeroPadding2D": _zero_padding,
}
