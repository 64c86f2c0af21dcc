"""Damage a `.tflite` file in its structure: one field of its schema gets another value."""

import random
import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcnn.litert.schema import parse, serialize

_NUMBERS = (-1, 0, 1, 2, 3, 7, 127, 128, 255, 2**15, 2**24, 2**31 - 1, -(2**31), 2**32 - 1)
_FLOATS = (0.0, -1.0, 1e-45, 1e38, float("nan"), float("inf"))


def mutate_fields(content: bytes, draw: random.Random) -> bytes:
    """Return a model with one to three fields changed: indices, shapes, codes, scales, buffers."""
    while True:
        model: Any = parse(content)
        for _ in range(draw.choice((1, 1, 2, 3))):
            fields = defaultdict(list)
            for owner, name in _fields(model):
                fields[type(owner).__name__, name].append(owner)
            _, name = key = draw.choice(sorted(fields))
            owner = draw.choice(fields[key])
            setattr(owner, name, _other(getattr(owner, name), draw))
        try:
            changed = serialize(model)
        except (TypeError, ValueError, AttributeError, struct.error, OverflowError):
            continue  # the value does not fit into the field
        if changed != content:
            return changed


def _fields(table: Any) -> Iterator[tuple[Any, str]]:
    for name, value in vars(table).items():
        if value is None:
            continue
        yield table, name
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "__dict__") and not isinstance(each, np.ndarray):
                yield from _fields(each)


def _other(value: Any, draw: random.Random) -> Any:
    if isinstance(value, np.ndarray):
        return _other_array(value, draw)
    if isinstance(value, list):
        return _other_list(list(value), draw)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice((value + 1, value - 1, *_NUMBERS))
    if isinstance(value, float):
        return draw.choice(_FLOATS)
    if isinstance(value, bytes):
        return draw.choice((b"", b"\xff", value * 100))
    return None


def _other_array(value: np.ndarray, draw: random.Random) -> np.ndarray | None:
    if draw.random() < 0.1:
        return None
    if draw.random() < 0.3 or not value.size:
        return draw.choice((value[:0], value[:-1], np.concatenate([value, value])))
    changed = value.copy()
    choices = _FLOATS if value.dtype.kind == "f" else _NUMBERS
    with np.errstate(all="ignore"):
        changed.flat[draw.randrange(value.size)] = np.array(draw.choice(choices)).astype(
            value.dtype
        )
    return changed


def _other_list(value: list[Any], draw: random.Random) -> list[Any] | None:
    if draw.random() < 0.1 or not value:
        return None
    place, other = draw.randrange(len(value)), draw.randrange(len(value))
    match draw.randrange(4):
        case 0:
            del value[place]
        case 1:
            value.append(value[place])
        case 2:
            value[place], value[other] = value[other], value[place]
        case _:
            value[place] = value[other]
    return value
