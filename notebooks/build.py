"""Build the notebooks from their sources, with all outputs.

    python notebooks/build.py [01_convolution ...]

Each `0*.py` here is a notebook as text (jupytext's percent format); edit only these files. This
script executes one from top to bottom in a new kernel and writes its `.ipynb` if no cell failed. A
test checks that the cells of both files are equal.
"""

import base64
import io
import os
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image, ImageChops

from kcnn.run_dir import atomic

FOLDER = Path(__file__).resolve().parent

# The largest invisible difference of a pixel value, of 255.
_INVISIBLE = 16


def sources() -> list[Path]:
    """Return the sources in the order of the course."""
    return sorted(FOLDER.glob("0*.py"))


def notebook(source: Path) -> nbformat.NotebookNode:
    """Return a source as a notebook without outputs."""
    made = jupytext.read(source)
    # Leave out what differs between two builds or two machines.
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
    # Without times, which differ between two builds.
    client = NotebookClient(
        made, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    made = client.execute()
    made.metadata["language_info"] = {"name": "python"}
    for cell in made.cells:
        if cell.cell_type == "code":
            # TensorFlow prints facts about the processor there, which no reader needs.
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _smaller(output.data["image/png"])
    return made


def _smaller(picture: str) -> str:
    """Reduce a PNG, in base64, to 256 colors; return it unchanged if that is visible or larger."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    # By coverage: a median cut would use all colors for photographs and none for lines.
    small = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    changes = ImageChops.difference(image, small.convert("RGB"))
    written = io.BytesIO()
    small.save(written, "png", optimize=True)
    shorter = base64.b64encode(written.getvalue()).decode()
    visible = int(np.asarray(changes).max()) > _INVISIBLE
    return picture if visible or len(shorter) > len(picture) else shorter


def main(names: list[str]) -> None:
    """Build the notebooks called `names`, or all of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for source in sources():
        if names and source.stem not in names:
            continue
        made = executed(source)
        with atomic(source.with_suffix(".ipynb")) as temporary:
            nbformat.write(made, temporary)


if __name__ == "__main__":
    main(sys.argv[1:])
