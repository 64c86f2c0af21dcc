"""Where each feature map lies: one array, planned at export.

As in TensorFlow Lite Micro, maps that are needed at the same time lie side by side, and the largest
are placed first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kcnn.plain_c.graph import Network, Step, Value

ALIGNMENT = 4
"""Bytes; processors read whole words faster where they are aligned."""


@dataclass(frozen=True)
class Memory:
    """The plan.

    Attributes:
        bytes: of the array.
        places: for each tensor, the expression for its address: `input`, `output` or a place in
            `arena`.
    """

    bytes: int
    places: Mapping[int, str]


@dataclass
class _Block:
    """Tensors that share one piece of memory, from the step that writes it to the last reader."""

    members: list[int]
    size: int
    first: int
    last: int
    offset: int = 0


def plan(
    network: Network, *, renamed: Callable[[Step], bool], in_place: Callable[[Step], bool]
) -> Memory:
    """Return a place for each feature map.

    Args:
        network: the graph.
        renamed: whether a step changes nothing but the shape, so that its output is its input.
        in_place: whether a step may write over an input of the same size.

    Raises:
        ValueError: the output is the input.
    """
    last_read = {
        value.place: step.index for step in network.steps for value in step.inputs if value
    }
    last_read[network.target.place] = len(network.steps)
    blocks: dict[int, _Block] = {}

    def place(value: Value, block: _Block | None, step: int) -> None:
        if block is None:
            block = _Block([], value.size, step, step)
        block.members.append(value.place)
        block.last = max(block.last, last_read.get(value.place, step))
        blocks[value.place] = block

    place(network.source, None, -1)
    source = blocks[network.source.place]
    for step in network.steps:
        shared = None
        if renamed(step):
            shared = blocks.get(step.source.place)
        elif in_place(step):
            found = [blocks[each.place] for each in step.inputs if each and each.place in blocks]
            free = [each for each in found if each is not source and each.last == step.index]
            shared = next((each for each in free if each.size == step.output.size), None)
        place(step.output, shared, step.index)
    target = blocks[network.target.place]
    if target is source:
        raise ValueError("Plain C needs at least one layer between input and output.")
    inner = [each for each in blocks.values() if each is not source and each is not target]
    size = _lay_out([*{id(each): each for each in inner}.values()])
    places = {each: f"arena + {block.offset}" for each, block in blocks.items()}
    places |= dict.fromkeys(source.members, "input") | dict.fromkeys(target.members, "output")
    return Memory(size, places)


def _lay_out(blocks: list[_Block]) -> int:
    """Give each block an offset; return the bytes of all."""
    placed: list[_Block] = []
    for block in sorted(blocks, key=lambda each: -each.size):
        beside = [each for each in placed if each.first <= block.last and block.first <= each.last]
        for other in sorted(beside, key=lambda each: each.offset):
            if block.offset + block.size <= other.offset:
                break
            end = other.offset + other.size
            block.offset = max(block.offset, -(-end // ALIGNMENT) * ALIGNMENT)
        placed.append(block)
    return max((each.offset + each.size for each in placed), default=0)
