"""All layers in C that have no window."""

import math

import numpy as np

from kcnn.plain_c.code import At, Code, Constant, array, levels, map_of, structure
from kcnn.plain_c.fixed_point import (
    clamps,
    effective_scales,
    exact_multiplier,
    multiplier,
)
from kcnn.plain_c.graph import Step, Value
from kcnn.plain_c.softmax import exponentials
from kcnn.plain_c.windows import bias_of, constant

_ADD_BITS = 20  # by which an addition shifts both summands up


def dense(step: Step, at: At) -> Code:
    """Return a dense layer of one vector."""
    kernel, number = constant(step, 1), step.index
    source, target = step.source, step.output
    outputs, inputs = kernel.shape
    if source.size != inputs or kernel.data is None:
        raise ValueError(f"Plain C connects one vector. Received: shape {source.shape}.")
    bias, constants = bias_of(step, kernel.data.astype(np.int64) - kernel.zero_point)
    scales = effective_scales(source, kernel, target, outputs)
    factors = [exact_multiplier(each) for each in scales]
    constants += [
        array("int8_t", f"kernel_{number}", kernel.data),
        array("uint64_t", f"significands_{number}", [each.significand for each in factors]),
        array("uint8_t", f"shifts_{number}", [each.shift for each in factors]),
        _levels(step),
    ]
    call = (
        f"connect({at(source)}, {inputs}, {at(target)}, {outputs}, kernel_{number}, {bias}, "
        f"significands_{number}, shifts_{number}, &levels_{number}, {kernel.zero_point});"
    )
    return Code(call, ("clamp", "scale_exactly", "connect"), tuple(constants))


def mean(step: Step, at: At) -> Code:
    """Return global average pooling."""
    source, target, number = step.source, step.output, step.index
    pixels = _pixels(step)
    significand, shift = multiplier(source.scale / target.scale)
    up = min(pixels.bit_length() - 1, 32, 31 + shift)
    clamped = levels(f"levels_{number}", source.zero_point, target.zero_point, clamps(0, target))
    call = (
        f"average({at(source)}, {pixels}, {source.shape[-1]}, {at(target)}, "
        f"{(significand << up) // pixels}, {shift - up}, &levels_{number});"
    )
    return Code(call, ("clamp", "scale", "average"), (clamped,))


def largest(step: Step, at: At) -> Code:
    """Return global max pooling."""
    source = step.source
    call = f"largest({at(source)}, {_pixels(step)}, {source.shape[-1]}, {at(step.output)});"
    return Code(call, ("largest",))


def add(step: Step, at: At) -> Code:
    """Return a sum of two maps, or of a map and a vector."""
    one, other, constants, there = _operands(step, at)
    target, number = step.output, step.index
    twice = 2 * max(one.scale, other.scale)
    factors = [multiplier(each.scale / twice) for each in (one, other)]
    factors.append(multiplier(twice / ((1 << _ADD_BITS) * target.scale)))
    significands, shifts = zip(*factors, strict=True)
    zeros = one.zero_point, other.zero_point
    constants += [structure("Sum", f"sum_{number}", (*zeros, *significands, *shifts))]
    call = (
        f"add({at(one)}, {there}, {at(target)}, {target.size}, {other.size}, &sum_{number}, "
        f"&levels_{number});"
    )
    return Code(call, ("clamp", "scale", "add"), (*constants, _levels(step)))


def multiply(step: Step, at: At) -> Code:
    """Return a product of two maps, or of a map and a vector."""
    one, other, constants, there = _operands(step, at)
    target, number = step.output, step.index
    # LiteRT computes this factor in float32.
    scales = [np.float32(each.scale) for each in (one, other, target)]
    factor = multiplier(float(scales[0] * scales[1] / scales[2]))
    clamped = clamps(step.options.fusedActivationFunction, target)
    constants += [levels(f"levels_{number}", one.zero_point, target.zero_point, clamped)]
    call = (
        f"multiply({at(one)}, {there}, {at(target)}, {target.size}, {other.size}, "
        f"{other.zero_point}, {factor.significand}, {factor.shift}, &levels_{number});"
    )
    return Code(call, ("clamp", "scale", "multiply"), tuple(constants))


def padding(step: Step, at: At) -> Code:
    """Return padding with zeros or another constant."""
    sides, filler = step.read(1), step.read(2)
    numbers = None if sides is None else sides.data
    value = step.output.zero_point if filler is None else filler.data
    if numbers is None or value is None or len(step.output.shape) != 4:
        raise ValueError(f"Plain C pads maps by constants. Received: {step.output.name[:60]!r}.")
    _, *before = numbers[:, 0].tolist()
    call = (
        f"pad({at(step.source)}, {map_of(step.source)}, {at(step.output)}, "
        f"{map_of(step.output)}, {', '.join(map(str, before))}, {int(np.ravel(value)[0])});"
    )
    return Code(call, ("pad",))


def concatenation(step: Step, at: At) -> Code:
    """Return a concatenation of what operators compute."""
    target, calls, done = step.output, [], 0
    axis = step.options.axis % len(target.shape)
    period = math.prod(target.shape[axis:])
    for value in step.inputs:
        if value is None or value.data is not None:
            raise ValueError("Plain C concatenates maps, not constants.")
        if (value.scale, value.zero_point) != (target.scale, target.zero_point):
            raise ValueError("Plain C concatenates maps of one scale.")
        run = math.prod(value.shape[axis:])
        calls.append(f"place({at(value)}, {value.size}, {run}, {at(target)} + {done}, {period});")
        done += run
    return Code("\n  ".join(calls), ("place",))


def softmax(step: Step, at: At) -> Code:
    """Return softmax over the last axis."""
    source, target = step.source, step.output
    if (target.scale, target.zero_point) != (1 / 256, -128):
        raise ValueError("Plain C's softmax returns steps of 1/256.")
    classes, name = source.shape[-1], f"exponentials_{step.index}"
    table = array("int32_t", name, exponentials(source.scale, step.options.beta))
    rows = source.size // classes
    call = f"soften({at(source)}, {rows}, {classes}, {at(target)}, {name});"
    return Code(call, ("soften",), (table,))


def _levels(step: Step) -> Constant:
    clamped = clamps(step.options.fusedActivationFunction, step.output)
    zeros = step.source.zero_point, step.output.zero_point
    return levels(f"levels_{step.index}", *zeros, clamped)


def _pixels(step: Step) -> int:
    """Return how many pixels a layer reduces to one."""
    axes, shape = step.read(1), step.source.shape
    over = [] if axes is None or axes.data is None else axes.data.ravel() % len(shape)
    if len(shape) != 4 or sorted(over) != [1, 2]:
        raise ValueError(f"Plain C reduces whole maps. Received: {step.operator} over axes {over}.")
    return shape[1] * shape[2]


def _operands(step: Step, at: At) -> tuple[Value, Value, list[Constant], str]:
    """Return the larger and the smaller operand, the smaller one's definition and its place."""
    one, other = step.inputs
    if one is None or other is None:
        raise ValueError(f"{step.operator} needs two operands.")
    if one.data is not None or one.size < other.size:
        one, other = other, one
    shape = other.shape
    while shape and shape[0] == 1:
        shape = shape[1:]
    fits = not shape or one.shape[-len(shape) :] == shape
    if one.data is not None or one.size != step.output.size or not fits:
        raise ValueError(
            f"Plain C's {step.operator} takes two maps of one size, or a map and a vector. "
            f"Received: shapes {one.shape} and {other.shape}."
        )
    if other.data is None:
        return one, other, [], at(other)
    name = f"constant_{step.index}"
    return one, other, [array("int8_t", name, other.data)], name
