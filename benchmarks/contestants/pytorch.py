"""PyTorch, eager or compiled, channels last."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch  # pyright: ignore[reportMissingImports] - an extra

from benchmarks import networks
from benchmarks.contestants import BORDER
from benchmarks.race import Spec
from benchmarks.torch_network import TorchNetwork
from benchmarks.turns import Turns


def fit(spec: Spec, turns: Turns) -> None:
    """Train the same network in the usual loop; bfloat16 is by autocast.

    With the option `compile`, `torch.compile` makes kernels of the network, forward and backward.
    """
    torch.manual_seed(spec.seed)
    if spec.threads:
        torch.set_num_threads(spec.threads)
    folder = Path(spec.folder)
    model = TorchNetwork(networks.layers(folder, spec.model), networks.weights(folder, spec.model))
    turns.facts["difference"] = _difference(model, folder, spec.model)
    turns.facts["parameters"] = model.parameter_count()
    model = cast(Any, model).to(memory_format=torch.channels_last).train()
    forward = torch.compile(model) if spec.options.get("compile") else model
    # One fused kernel. The default on a CPU, a loop over tensors, is slower.
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    half = spec.precision == "bfloat16"
    loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
    for images, labels in batches(*networks.arrays(folder), spec.batch, spec.seed):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = forward(images)
        loss = loss_of(logits.float(), labels)
        loss.backward()
        optimizer.step()
        # Keras also keeps these two sums.
        loss_sum += loss.detach()
        right += (logits.argmax(dim=1) == labels).sum()
        turns.step(len(images))


def batches(
    images: np.ndarray, labels: np.ndarray, batch: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield endless shuffled batches: uint8 [B, C, H, W] in channels-last memory, int64 [B].

    One indexing operation crops and mirrors the whole batch, in uint8.
    """
    generator = torch.Generator().manual_seed(seed)
    held, wanted = torch.from_numpy(images), torch.from_numpy(labels).long()
    while True:
        for chosen in torch.randperm(len(held), generator=generator).split(batch):
            if len(chosen) == batch:
                cropped = crop(held[chosen], generator)
                yield cropped.permute(0, 3, 1, 2), wanted[chosen]


def crop(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pad images [B, H, W, C], cut a random window of each, and mirror half of them at random."""
    count, height, width, _ = images.shape
    padded = torch.nn.functional.pad(images, (0, 0, BORDER, BORDER, BORDER, BORDER))
    top, left = torch.randint(0, 2 * BORDER + 1, (2, count, 1), generator=generator)
    mirrored = torch.randint(0, 2, (count, 1), generator=generator, dtype=torch.bool)
    across = torch.arange(width)
    rows = top + torch.arange(height)
    columns = left + torch.where(mirrored, across.flip(0), across)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _difference(model: torch.nn.Module, folder: Path, name: str) -> float:
    images, expected = networks.probe(folder, name)
    with torch.no_grad():
        answers = model.eval()(torch.from_numpy(images).permute(0, 3, 1, 2))
    return networks.difference(answers.numpy(), expected)
