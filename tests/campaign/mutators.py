"""Ways to damage a file: its bytes, its JSON, the members of an archive, the records of a set."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

Mutate = Callable[[bytes, random.Random], bytes]

# Texts of JSON that `json.dumps` does not write.
_DEEP = "[" * 100_000 + "]" * 100_000
_HUGE = "9" * 5_000
_RAW = {"<deep>": _DEEP, "<huge>": _HUGE, "<half>": r'"\ud800"', "<large>": "1e999"}
_VALUES = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 1e308, -0.5, float("nan"), float("inf")),
    *("", "x", "x" * 70_000, "a\nb\0c", "../../etc/passwd", "\x1b[31m", [], {}, [[]], [None]),
    *({"": {}}, {"a": 1}, *_RAW),
)


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return other bytes: bits flipped, or a part cut off, zeroed, doubled, moved or inserted."""
    while True:
        changed = draw.choice(_WAYS)(content, draw)
        if changed != content:
            return changed


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _block(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content))
    return start, min(len(content), start + draw.choice((1, 4, 16, 64, 512)))


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def _zero(content: bytes, draw: random.Random) -> bytes:
    start, end = _block(content, draw)
    return content[:start] + bytes(end - start) + content[end:]


def _drop(content: bytes, draw: random.Random) -> bytes:
    start, end = _block(content, draw)
    return content[:start] + content[end:]


def _double(content: bytes, draw: random.Random) -> bytes:
    start, end = _block(content, draw)
    return content[:end] + content[start:]


def _insert(content: bytes, draw: random.Random) -> bytes:
    start, end = _block(content, draw)
    return content[:start] + draw.randbytes(end - start) + content[start:]


def _swap(content: bytes, draw: random.Random) -> bytes:
    (start, end), (other, last) = sorted((_block(content, draw), _block(content, draw)))
    if end > other:
        return _flip(content, draw)
    middle = content[end:other]
    return content[:start] + content[other:last] + middle + content[start:end] + content[last:]


# Half of them flip bits, which is what disks and networks do.
_WAYS = (_flip, _flip, _flip, _flip, _flip, _flip, _cut, _zero, _drop, _double, _insert, _swap)


def mutate_json(content: bytes, draw: random.Random) -> bytes:
    """Return JSON with another value, another key or a key less, or any damaged bytes."""
    if draw.random() < 0.4:
        return mutate_bytes(content, draw)
    while True:
        values = json.loads(content)
        places = list(_places(values))
        node, key = draw.choice(places)
        _change(node, key, draw, places)
        text = json.dumps(values, indent=1)
        for name, raw in _RAW.items():
            text = text.replace(json.dumps(name), raw)
        if text.encode() != content:
            return text.encode()


def _places(node: Any) -> Any:
    """Yield every (dictionary or list, key) below a value."""
    for key in node if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def _change(node: Any, key: Any, draw: random.Random, places: list[tuple[Any, Any]]) -> None:
    match draw.randrange(6):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            name = draw.choice([f"{key}x", "", "__class__", key.upper()])
            node[name] = node.pop(key)
        case 2:
            other, place = draw.choice(places)
            node[key] = json.loads(json.dumps(other[place]))
        case 3 if isinstance(node[key], int | float):
            node[key] = draw.choice((-node[key], node[key] + 1, node[key] * 1e9, str(node[key])))
        case _:
            node[key] = draw.choice(_VALUES)


def mutate_members(mutate: Mutate) -> Mutate:
    """Return a way to damage one member of a zip archive whose checksums are right again."""

    def change(content: bytes, draw: random.Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = draw.choice(sorted(members))
        members[name] = (mutate_json if name.endswith(".json") else mutate)(members[name], draw)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for each, member in members.items():
                archive.writestr(each, member)
        return written.getvalue()

    return change
