"""Convolutions and pooling in C."""

import numpy as np

from kcnn.plain_c.code import At, Code, Constant, array, levels, map_of, structure
from kcnn.plain_c.fixed_point import clamps, effective_scales, multiplier
from kcnn.plain_c.graph import Step, Value

_LARGEST_SUM = 2**31 - 1


def convolution(step: Step, at: At) -> Code:
    """Return a convolution, also a grouped one."""
    _, _, _, depth = constant(step, 1).shape
    return _convolution(step, at, "convolve", kernel_axis=0, last=depth)


def depthwise_convolution(step: Step, at: At) -> Code:
    """Return a depthwise convolution."""
    multiple = step.output.shape[-1] // step.source.shape[-1]
    return _convolution(step, at, "convolve_depthwise", kernel_axis=3, last=multiple)


def max_pooling(step: Step, at: At) -> Code:
    """Return max pooling."""
    return _pooling(step, at, "pool_max")


def average_pooling(step: Step, at: At) -> Code:
    """Return average pooling."""
    return _pooling(step, at, "pool_average")


def constant(step: Step, place: int) -> Value:
    """Return an input that must be a constant of int8.

    Raises:
        ValueError: it is computed, or stored in another way, such as int4.
    """
    value = step.read(place)
    if value is None or value.data is None or value.dtype != "int8":
        stored = "computes" if value is None or value.dtype == "int8" else f"stores {value.dtype}"
        raise ValueError(
            f"Plain C has int8 weights. Received: {step.operator} {step.output.name[:60]!r}, "
            f"which {stored} its weights."
        )
    return value


def bias_of(step: Step, kernel: np.ndarray) -> tuple[str, list[Constant]]:
    """Return the name of a layer's bias and its definition.

    Args:
        step: the layer.
        kernel: its weights, `(channels, ...)`.

    Raises:
        ValueError: its sums may exceed 32 bits.
    """
    value, name = step.read(2), f"bias_{step.index}"
    bias = None if value is None else value.data
    most = np.abs(kernel.reshape(len(kernel), -1).astype(np.int64)).sum(axis=1) * 255
    if bias is not None:
        most = most + np.abs(bias.astype(np.int64))
    if most.max() > _LARGEST_SUM:
        raise ValueError(
            f"Plain C sums in 32 bits, which {step.operator} {step.output.name[:60]!r} may exceed."
        )
    return ("NULL", []) if bias is None else (name, [array("int32_t", name, bias)])


def _convolution(step: Step, at: At, function: str, *, kernel_axis: int, last: int) -> Code:
    kernel, number, options = constant(step, 1), step.index, step.options
    source, target = step.source, step.output
    assert kernel.data is not None  # noqa: S101 - `constant` has checked it
    bias, constants = bias_of(step, np.moveaxis(kernel.data, kernel_axis, 0))
    factors = [
        multiplier(each) for each in effective_scales(source, kernel, target, target.shape[-1])
    ]
    constants += [
        array("int8_t", f"kernel_{number}", kernel.data),
        array("int32_t", f"significands_{number}", [each.significand for each in factors]),
        array("int8_t", f"shifts_{number}", [each.shift for each in factors]),
        structure(
            "Weights",
            f"weights_{number}",
            (f"kernel_{number}", bias, f"significands_{number}", f"shifts_{number}"),
        ),
        _window(
            step,
            kernel.shape[1:3],
            (options.dilationHFactor, options.dilationWFactor),
        ),
        levels(
            f"levels_{number}",
            source.zero_point,
            target.zero_point,
            clamps(options.fusedActivationFunction, target),
        ),
    ]
    call = (
        f"{function}({at(source)}, {map_of(source)}, {at(target)}, {map_of(target)}, "
        f"&window_{number}, &weights_{number}, &levels_{number}, {last});"
    )
    return Code(call, ("clamp", "scale", "reach", "weights", function), tuple(constants))


def _pooling(step: Step, at: At, function: str) -> Code:
    source, target, number, options = step.source, step.output, step.index, step.options
    if (source.scale, source.zero_point) != (target.scale, target.zero_point):
        raise ValueError(f"{step.operator} changes its scale, which LiteRT does not run either.")
    window = _window(step, (options.filterHeight, options.filterWidth), (1, 1))
    # The stored numbers are pooled as they are, so no zero point is added.
    clamped = levels(f"levels_{number}", 0, 0, clamps(options.fusedActivationFunction, target))
    call = (
        f"{function}({at(source)}, {map_of(source)}, {at(target)}, {map_of(target)}, "
        f"&window_{number}, &levels_{number});"
    )
    return Code(call, ("clamp", "reach", function), (window, clamped))


def _window(step: Step, kernel: tuple[int, ...], dilations: tuple[int, int]) -> Constant:
    """Return the definition of a `Window`.

    The padding follows from the sizes: a kernel that fits the image needs none.
    """
    strides = step.options.strideH, step.options.strideW
    before = [
        max(0, (outputs - 1) * stride + (size - 1) * dilation + 1 - inputs) // 2
        for inputs, outputs, size, stride, dilation in zip(
            step.source.shape[1:3],
            step.output.shape[1:3],
            kernel,
            strides,
            dilations,
            strict=True,
        )
    ]
    return structure("Window", f"window_{step.index}", (*kernel, *strides, *dilations, *before))
