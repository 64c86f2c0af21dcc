"""Write an int8 `.tflite` file as one C99 file and its header."""

import os
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from kcnn.literals import c_string
from kcnn.litert.labels import read_labels
from kcnn.litert.tflite_file import read_tflite, summarize_bytes
from kcnn.litert.trial import try_model
from kcnn.notebook import html_facts
from kcnn.plain_c.code import Code
from kcnn.plain_c.graph import Network, Step, Value, read_network
from kcnn.plain_c.memory import Memory, plan
from kcnn.plain_c.operators import RENAMED, check_operators, code_of, works_in_place
from kcnn.run_dir import atomic
from kcnn.templates import templates

_KERNELS = Path(__file__).with_name("kernels")
# The order in which functions stand in the file: what others call comes first.
_FIRST = ("types", "clamp", "scale", "scale_exactly", "reach", "weights")
_COMMENT = 70  # letters of a layer's name


@dataclass(frozen=True)
class CSource:
    """A model as plain C.

    Attributes:
        source: the C99 file.
        header: its header, beside it.
        name: what its functions begin with.
        arena_bytes: memory for feature maps.
        constant_bytes: weights and tables, which stay in flash.
        operators: how many operators it computes.
    """

    source: Path
    header: Path
    name: str
    arena_bytes: int
    constant_bytes: int
    operators: int

    def _repr_html_(self) -> str:
        facts = {"header": self.header, "operators": self.operators}
        facts |= {"arena bytes": self.arena_bytes, "constant bytes": self.constant_bytes}
        return html_facts(str(self.source), facts)


def write_c(model: str | os.PathLike, path: str | os.PathLike) -> CSource:
    """Write an int8 `.tflite` file as one C99 file and its header.

    Use it for a chip without room for an interpreter, or without C++. The code needs a C99 compiler
    and nothing else: no library, no file, no allocation. `NAME_run`, with the name of the C file,
    computes one image; its results are those of LiteRT's reference kernels, bit for bit.

    Args:
        model: the `.tflite` file, int8 between input and output; those may be uint8.
        path: the C file to write; the header lies beside it. Both are written whole or not at all.

    Returns:
        The two files, and the memory that they need.

    Raises:
        ValueError: the file is damaged, computes with floats, or has an operator that plain C does
            not know; the message names it.

    >>> import tempfile
    >>> from kcnn.plain_c import write_c
    >>> made = write_c("saved_models/resnet8_int8/model_int8.tflite",
    ...                tempfile.mkdtemp() + "/resnet8.c")
    >>> made.name, made.header.name, made.arena_bytes
    ('resnet8', 'resnet8.h', 49152)
    """
    model, path = Path(model), Path(path)
    if path.suffix != ".c":
        raise ValueError(f"The file to write must end in .c. Received: {path}.")
    if not re.fullmatch(r"[\w .+-]+", path.name):  # the C code includes its header by this name
        raise ValueError(f"Name the C file with letters, digits, _ and -. Received: {path.name!r}.")
    data = read_tflite(model)
    try_model(data, model)
    summarize_bytes(data, model)
    network = read_network(data, model)
    check_operators(network, model)
    memory = plan(network, renamed=_is_renamed, in_place=works_in_place)
    codes = [(step, _code(step, memory, data, model)) for step in network.steps]
    constants = [each for _, code in codes if code for each in code.constants]
    name, header = identifier(path.stem), path.with_suffix(".h")
    values = {
        "name": name,
        "header": header.name,
        "prefix": name.upper(),
        "guard": f"{name.upper()}_H_",
        "title": name,
        "file": re.sub(r"[^\w. -]", "_", model.name),
        "version": version("ai-edge-litert"),
        "arena_bytes": memory.bytes,
        "source": network.source,
        "target": network.target,
        "sizes": _sizes(network, memory),
        "labels": read_labels(data),
        "pixels": _stored_pixel(network.source),
        "kernels": _kernels([code for _, code in codes if code]),
        "constants": [each.text for each in constants],
        "calls": [(_comment(step), code.call) for step, code in codes if code],
    }
    with atomic(path) as source_file, atomic(header) as header_file:
        source_file.write_text(_render("model.c.j2", values), encoding="utf-8", newline="\n")
        header_file.write_text(_render("model.h.j2", values), encoding="utf-8", newline="\n")
    stored = sum(each.bytes for each in constants)
    return CSource(path, header, name, memory.bytes, stored, len(values["calls"]))


def identifier(text: str) -> str:
    """Return a text as a name in C.

    >>> identifier("model-int8 v2"), identifier("3x3")
    ('model_int8_v2', 'model_3x3')
    """
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) else f"model_{name}"


def _is_renamed(step: Step) -> bool:
    return step.operator in RENAMED


def _code(step: Step, memory: Memory, data: bytes, path: Path) -> Code | None:
    """Return an operator in C; errors name the file and the operator."""

    def at(value: Value) -> str:
        return memory.places[value.place]

    try:
        return code_of(step, at, data)
    except (ValueError, KeyError, IndexError) as error:
        where = f"{path}, {step.operator} ({step.output.name[:60]})"
        raise ValueError(f"{where} cannot be written as plain C: {error}") from error


def _sizes(network: Network, memory: Memory) -> dict[str, int]:
    sizes = {}
    if len(network.source.shape) == 4:
        sizes |= dict(zip(("HEIGHT", "WIDTH", "CHANNELS"), network.source.shape[1:], strict=True))
    sizes |= {"INPUTS": network.source.size, "OUTPUTS": network.target.size}
    return sizes | {"ARENA_BYTES": memory.bytes}


def _stored_pixel(source: Value) -> str | None:
    """Return how an app stores a pixel, None for a model that does not take raw pixels."""
    if source.scale != 1.0:
        return None
    sign = "-" if source.zero_point < 0 else "+"
    zero = abs(source.zero_point)
    return f"`pixel {sign} {zero}`" if zero else "it is"


def _kernels(codes: list[Code]) -> list[str]:
    """Return the functions that the operators need, those that others call first."""
    used = dict.fromkeys(name for code in codes for name in code.kernels)
    ordered = [*_FIRST, *(name for name in used if name not in _FIRST)]
    return [(_KERNELS / f"{each}.c").read_text() for each in ordered if each in {*used, "types"}]


def _comment(step: Step) -> str:
    name = step.output.name.split(";")[0][:_COMMENT]
    return re.sub(r"[^\w/. -]", "_", f"{step.index} {step.operator}: {name}")


def _render(name: str, values: dict) -> str:
    environment = templates(Path(__file__).with_name("templates"), html=False)
    environment.filters["c"] = c_string
    return environment.get_template(name).render(values)
