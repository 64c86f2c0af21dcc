"""Weights that are published with a manifest: loading them builds the network by kcnn's own code.

A `.keras` file describes layers, and whoever loads it lets Keras build what it describes. Here the
manifest names a builder and its arguments, and the weights are plain arrays. Nothing else is in the
files, so nothing else can come out of them.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import keras
import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from kcnn.errors import one_line, unknown
from kcnn.model_places import MANIFEST, find_published
from kcnn.model_places import published_names as published_names  # for `kcnn.models`
from kcnn.models.described import check_described
from kcnn.models.registry import MODELS, build, names
from kcnn.provenance import sha256_of_json
from kcnn.run_dir import atomic

WEIGHTS = "weights.npz"
_OVERHEAD = 1024  # bytes of an array's header in a file, at most

Size = Annotated[int, Field(ge=0, le=2**20)]
Argument = bool | Size | float | Annotated[str, Field(max_length=100)] | tuple[Size, ...]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class Manifest:
    """What `weights.json` says about the weights beside it.

    Attributes:
        network: the name of the builder, one of `kcnn.models.names()`.
        arguments: of the builder.
        class_names: one for each logit, in order.
        shapes: of the weights, by their paths in the model, in order.
        dtype: of the weights in the file; the model has them in float32.
        sha256: of the file with the weights.
        format: the version of this format.
    """

    network: str
    arguments: dict[str, Argument]
    class_names: tuple[str, ...]
    shapes: dict[str, tuple[Size, ...]]
    dtype: Literal["float32", "float16"]
    sha256: str
    format: Literal[1] = 1


_MANIFEST = TypeAdapter(Manifest)


def publish(  # noqa: PLR0913 - what a manifest says
    model: keras.Model,
    folder: str | os.PathLike[str],
    network: str,
    arguments: Mapping[str, Argument],
    class_names: Sequence[str],
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> Path:
    """Write the weights of a model that one of kcnn's builders made, and their manifest.

    Use it to hand trained weights to others, who load them by `load_published`, or by name with
    `pretrained` once they lie in `saved_models/NAME` of a checkout.

    Args:
        model: the trained model.
        folder: gets `weights.npz` and `weights.json`; made if absent.
        network: the builder's name.
        arguments: those that the builder was called with.
        class_names: one for each logit.
        dtype: "float16" halves the file; a weight changes by up to 0.05 %.

    Returns:
        The manifest's path.

    Raises:
        ValueError: the builder does not make a network with these weights, or a weight does not
            fit into `dtype`.
    """
    if network not in MODELS:
        raise unknown("model", network, names())
    folder, weights = Path(folder), _weights(model)
    _check_shapes(build(network, **arguments), _shapes(weights), f"{network} with these arguments")
    with np.errstate(over="ignore"):
        arrays = {path: np.asarray(each, dtype) for path, each in weights.items()}
    if lost := [path for path, each in arrays.items() if not np.isfinite(each).all()]:
        raise ValueError(f"{lost[0]!r} has values that are not finite in {dtype}.")
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"class_names must name the {model.output_shape[-1]} logits. "
            f"Received: {len(class_names)} names"
        )
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    manifest = Manifest(
        network=network,
        arguments=dict(arguments),
        class_names=tuple(class_names),
        shapes=_shapes(weights),
        dtype=dtype,
        sha256=sha256(content.getvalue()).hexdigest(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(content.getvalue())
    with atomic(folder / MANIFEST) as temporary:  # last: it has the digest of the other
        values = _MANIFEST.dump_python(manifest, mode="json")
        values["digest"] = sha256_of_json(values)
        temporary.write_text(json.dumps(values, indent=1) + "\n")
    return folder / MANIFEST


def load_published(folder: str | os.PathLike[str]) -> keras.Model:
    """Build the network that a manifest names, and give it the weights beside the manifest.

    Returns:
        The model for inference, not compiled.

    Raises:
        ValueError: a file is missing, damaged or changed, or does not fit the network; the message
            names it.
    """
    manifest = read_manifest(folder)
    arrays = _read_weights(Path(folder) / WEIGHTS, manifest)
    file = str(Path(folder) / MANIFEST)
    network = partial(build, manifest.network, **manifest.arguments)
    check_described(network, sum(each.nbytes for each in arrays), Path(file))
    try:
        model = network()
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file!r} describes no network of kcnn: {one_line(error)}") from error
    _check_shapes(model, manifest.shapes, f"{file!r}")
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array.astype("float32"))
    return model


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read a manifest and check it against its schema.

    Raises:
        ValueError: there is none, it is damaged, or it names no network of kcnn.
    """
    file = Path(folder) / MANIFEST
    try:
        values = json.loads(file.read_bytes())
        if values.pop("digest") != sha256_of_json(values):
            raise ValueError("it has changed since it was published")
        manifest = _MANIFEST.validate_json(json.dumps(values))
    except OSError as error:
        raise ValueError(f"There are no published weights {str(file)!r}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise ValueError(f"{str(file)!r} is damaged: {where[:80]}: {first['msg']}") from error
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} is damaged: {one_line(error)}") from error
    if manifest.network not in MODELS:
        raise ValueError(f"{str(file)!r} names no network of kcnn: {manifest.network[:80]!r}")
    return manifest


def pretrained(name: str) -> keras.Model:
    """Return a network with the weights that kcnn has trained and published for it.

    Use it for inference, as a teacher, or as a base for transfer. `docs/zoo.md` has the accuracies,
    `kcnn.models.published_names()` the names.

    Raises:
        ValueError: nothing is published under this name, or its files are damaged.

    >>> pretrained("resnet20").output_shape
    (None, 10)
    """
    return load_published(find_published(name))


def _read_weights(file: Path, manifest: Manifest) -> list[np.ndarray]:
    """Return the arrays in the manifest's order; their digest is checked before they are read."""
    size = np.dtype(manifest.dtype).itemsize
    most = sum(size * int(np.prod(shape, dtype=np.int64)) for shape in manifest.shapes.values())
    try:
        if file.stat().st_size > most + _OVERHEAD * (1 + len(manifest.shapes)):
            raise ValueError("it is larger than the weights of the manifest")
        content = file.read_bytes()
        if sha256(content).hexdigest() != manifest.sha256:
            raise ValueError("it has changed since it was published")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = [archive[path] for path in manifest.shapes]
    except Exception as error:  # a damaged archive raises nearly anything
        raise ValueError(f"{str(file)!r} cannot be used: {one_line(error)}") from error
    for (path, shape), array in zip(manifest.shapes.items(), arrays, strict=True):
        if array.shape != shape or array.dtype != manifest.dtype:
            raise ValueError(f"{str(file)!r} cannot be used: {path!r} is not as the manifest says.")
    return arrays


def _weights(model: keras.Model) -> dict[str, np.ndarray]:
    arrays = (np.asarray(keras.ops.convert_to_numpy(each)) for each in model.weights)
    return dict(zip(_paths(model), arrays, strict=True))


def _paths(model: keras.Model) -> list[str]:
    """Return "layer/weight"; a Sequential model that is not from a file says its own name first."""
    return ["/".join(each.path.split("/")[-2:]) for each in model.weights]


def _shapes(weights: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {path: tuple(each.shape) for path, each in weights.items()}


def _check_shapes(model: keras.Model, shapes: Mapping[str, tuple[int, ...]], what: str) -> None:
    built = dict(zip(_paths(model), (tuple(each.shape) for each in model.weights), strict=True))
    if list(built.items()) == list(shapes.items()):
        return
    different = [path for path in {**built, **shapes} if built.get(path) != shapes.get(path)]
    place = different[0] if different else "the order"
    has, wanted = built.get(place), shapes.get(place)
    raise ValueError(f"{what} makes another network: {place} is {has}, the weights have {wanted}.")
