"""Make the notebooks from their sources, with all outputs.

    python notebooks/build.py [01_convolution ...]

Each `0*.py` here is a notebook as text (jupytext's percent format) and the only file to edit. It is
executed from top to bottom in a new kernel; its `.ipynb` is written if no cell failed. A test holds
the cells of the two equal.
"""

import base64
import io
import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image, ImageChops

from kcnn.run_dir import atomic

FOLDER = Path(__file__).resolve().parent

_INVISIBLE = 16  # of 255


def sources() -> list[Path]:
    """Return the text sources in their order."""
    return sorted(FOLDER.glob("0*.py"))


def notebook(source: Path) -> nbformat.NotebookNode:
    """Return a source as a notebook without outputs."""
    made = jupytext.read(source)
    # What changes from one generation to the next, or from one machine to another, is left out.
    made.metadata = {"kernelspec": made.metadata["kernelspec"], "language_info": {"name": "python"}}
    for number, cell in enumerate(made.cells):
        cell.id = f"{source.stem}-{number}"
        cell.metadata = {}
    return made


def executed(source: Path) -> nbformat.NotebookNode:
    """Return a source as a notebook with the outputs of a run in a new kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    made = notebook(source)
    # Without times, which would be others whenever it is made again.
    client = NotebookClient(
        made, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    made = client.execute()
    made.metadata["language_info"] = {"name": "python"}
    for cell in made.cells:
        if cell.cell_type == "code":
            # TensorFlow tells of the processor there; no reader needs it.
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _smaller(output.data["image/png"])
    return made


def _smaller(picture: str) -> str:
    """Return a PNG, in base64 as it came, with 256 colours; one that needs more stays as it is."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    # By coverage: a median cut would give all colours to the photographs and none to the lines.
    small = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    changes = ImageChops.difference(image, small.convert("RGB"))
    written = io.BytesIO()
    small.save(written, "png", optimize=True)
    shorter = base64.b64encode(written.getvalue()).decode()
    visible = max(highest for _, highest in changes.getextrema()) > _INVISIBLE
    return picture if visible or len(shorter) > len(picture) else shorter


def main(names: list[str]) -> None:
    """Write the notebooks called `names`, or all of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for source in sources():
        if names and source.stem not in names:
            continue
        made = executed(source)
        with atomic(source.with_suffix(".ipynb")) as temporary:
            nbformat.write(made, temporary)


if __name__ == "__main__":
    main(sys.argv[1:])
