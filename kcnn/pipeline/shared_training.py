"""What the processes of one training have in common: given by the first one, or compared.

All processes call these functions, in the same order.
"""

import json
import zlib
from typing import TYPE_CHECKING

import numpy as np

from kcnn.callbacks.checkpoints import Checkpoints
from kcnn.recipe import Recipe, from_json, to_json
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    from kcnn.data import JaxData

_PARTS = ("", "head")  # of a training, each with a kept state of its own


def share(run_dir: RunDir | None, recipe: Recipe | None = None) -> Recipe | None:
    """Give the recipe and the kept states of the first process to all.

    Args:
        run_dir: Of the first process, the run's folder; of the others, where they keep the states,
            None if they need none.
        recipe: What the first process trains, precision included; None if it trains nothing. What
            other processes pass has no effect.

    Returns:
        The recipe of the first process; None if it trains nothing.
    """
    text = _from_first(b"" if recipe is None else to_json(recipe).encode())
    if not text:
        return None
    for part in _PARTS:
        _share_state(run_dir and Checkpoints(run_dir.state / part))
    return from_json(text.decode())


def _share_state(checkpoints: Checkpoints | None) -> None:
    kept = b""
    if checkpoints and _is_first() and checkpoints.load() is not None:
        file = checkpoints.last if checkpoints.last.is_file() else checkpoints.previous
        kept = file.read_bytes()
    received = _from_first(kept)
    if received and checkpoints and not _is_first():
        checkpoints.folder.mkdir(parents=True, exist_ok=True)
        checkpoints.last.write_bytes(received)


def meet(data: "JaxData | None") -> None:
    """Wait until all processes are ready to train, and compare what they train on.

    Args:
        data: What this process trains on; None if it cannot take part, which only the others then
            hear of.

    Raises:
        RuntimeError: Another process cannot take part.
        ValueError: The processes have different images or batches.
    """
    from jax.experimental.multihost_utils import process_allgather

    found = [int(each) for each in process_allgather(np.uint32(_identity(data))).ravel()]
    if data is None:
        return
    if 0 in found:
        raise RuntimeError(
            f"Process {found.index(0) + 1} of {len(found)} cannot take part in the training: its "
            "own last line says why."
        )
    others = [number for number, each in enumerate(found, 1) if each != found[0]]
    if others:
        raise ValueError(
            "All processes need the same images, seed and batches, and those of process "
            f"{others[0]} of {len(found)} differ from the first one's: start each with the same "
            "command and the same data."
        )


def part() -> None:
    """End the connection, once all processes have come to this point."""
    import jax

    jax.distributed.shutdown()


def _identity(data: "JaxData | None") -> int:
    """Return a number for what a training computes on; 0 stands for nothing."""
    if data is None:
        return 0
    facts = {**data.identity(), "images": data.num_train, "batch_size": data.batch_size}
    return zlib.crc32(json.dumps(facts).encode()) or 1


def _from_first(content: bytes) -> bytes:
    """Return the content that the first process passes."""
    from jax.experimental.multihost_utils import broadcast_one_to_all

    size = int(broadcast_one_to_all(np.int32(len(content))))
    mine = content if _is_first() else bytes(size)
    if not size:
        return b""
    return np.asarray(broadcast_one_to_all(np.frombuffer(mine, np.uint8))).tobytes()


def _is_first() -> bool:
    import jax

    return jax.process_index() == 0
