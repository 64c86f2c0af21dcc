"""Build the lessons of the course: one source, a notebook in English and one in Korean.

    python notebooks/build.py [01_convolution ...]    # execute, then write en/ and ko/
    python notebooks/build.py --check                 # execute only, as CI does

Each file in `lessons/` is a lesson as text (jupytext's percent format); edit only these. The title
of a cell says what becomes of it:

    # %% [markdown]        prose in English
    # %% ko [markdown]     the same in Korean, right after it
    # %%                   code that both notebooks show, with its output
    # %% assert            code that is executed and shown in neither
    # %% exercise          code that the learner completes, shown without output
    # %% solution          the completed code, executed, and shown folded under the exercise

A lesson is executed once, from top to bottom in a new kernel; its outputs go into both notebooks.
Figures are drawn twice, with labels in English and in Korean: see `figures.py`.
"""

import base64
import copy
import io
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from kcnn.run_dir import atomic
from nbclient import NotebookClient
from PIL import Image, ImageChops

FOLDER = Path(__file__).resolve().parent
SOLUTION = {"en": "Solution", "ko": "풀이"}

# What is executed before a lesson, in the folder of its English notebook.
_DRAW_BOTH = "import sys\nsys.path.append('..')\nfrom figures import draw_both\ndraw_both({})"
_KOREAN_PICTURE = "application/vnd.kcnn.korean+json"  # as figures.py names it

# The largest invisible difference of a pixel value, of 255.
_INVISIBLE = 16


def sources() -> list[Path]:
    """Return the sources in the order of the course."""
    return sorted((FOLDER / "lessons").glob("[0-9]*.py"))


def cells(source: Path) -> list[tuple[str, str]]:
    """Return each cell of a source as its role and its text.

    A role is "en", "ko", "code", "assert", "exercise" or "solution".

    Raises:
        ValueError: a cell has another title.
    """
    found = []
    for cell in jupytext.read(source).cells:
        title = cell.metadata.get("title", "")
        role = title or ("en" if cell.cell_type == "markdown" else "code")
        allowed = {"en", "ko"} if cell.cell_type == "markdown" else _CODE
        if role not in allowed:
            raise ValueError(f"{source.name}: a {cell.cell_type} cell cannot be a {title!r} cell")
        found.append((role, cell.source))
    return found


_CODE = {"code", "assert", "exercise", "solution"}


def notebook(source: Path, language: str) -> nbformat.NotebookNode:
    """Return a lesson in one language, as the learner gets it, without outputs."""
    made = []
    for role, text in cells(source):
        if role in ("code", "exercise"):
            made.append(nbformat.v4.new_code_cell(text))
        elif role == "solution":
            folded = f"<details><summary>{SOLUTION[language]}</summary>\n\n```python\n{text}\n```\n"
            made.append(nbformat.v4.new_markdown_cell(f"{folded}\n</details>"))
        elif role == language:
            made.append(nbformat.v4.new_markdown_cell(text))
    for number, cell in enumerate(made):
        cell.id = f"{source.stem}-{number}"
    return nbformat.v4.new_notebook(cells=made, metadata=_METADATA)


_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    # Without a version, which differs between two machines.
    "language_info": {"name": "python"},
}


def outputs(source: Path, *, pictures: bool = True) -> list[dict[str, list[nbformat.NotebookNode]]]:
    """Execute a lesson in a new kernel; return the outputs of each "code" cell, by language.

    Args:
        source: the lesson.
        pictures: draw the pictures in Korean, too; otherwise their labels are only checked.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed, an assertion for example.
        RuntimeError: an exercise or the labels of a figure are wrong.
    """
    code = [(role, text) for role, text in cells(source) if role in _CODE]
    texts = [_DRAW_BOTH.format(pictures), *(text for _, text in code)]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in texts], metadata=_METADATA
    )
    # Without times, which differ between two builds.
    done = NotebookClient(
        made, record_timing=False, resources={"metadata": {"path": str(FOLDER / "en")}}
    ).execute()
    executed = done.cells[1:]
    _check_solutions(source, code, executed)
    shown = []
    for (role, _), cell in zip(code, executed, strict=True):
        if role == "code":
            # TensorFlow prints facts about the processor there, which no reader needs.
            kept = [each for each in cell.outputs if each.get("name") != "stderr"]
            both = [_in_both(source, each) for each in kept]
            shown.append({language: [each[language] for each in both] for language in SOLUTION})
    return shown


def _in_both(source: Path, output: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """Return an output by language; what differs are the labels of figures.

    In Korean a picture is None where it was not drawn.
    """
    output.pop("execution_count", None)
    if output.output_type == "execute_result":
        output.output_type = "display_data"
    data = output.get("data", {})
    if "image/png" not in data:
        return {"en": output, "ko": output}
    if _KOREAN_PICTURE not in data:
        raise RuntimeError(f"{source.name} shows a picture that is no matplotlib figure.")
    korean = data.pop(_KOREAN_PICTURE)
    if korean["unknown"]:
        raise RuntimeError(f"{source.name}: figure_words.py lacks {korean['unknown']}.")
    other = copy.deepcopy(output)
    data["image/png"] = _smaller(data["image/png"])
    other.data["image/png"] = korean["png"] and _smaller(korean["png"])
    return {"en": output, "ko": other}


def _check_solutions(source: Path, code: list, executed: list) -> None:
    """Raise a RuntimeError unless the check accepts each solution and refuses each exercise."""
    for (role, text), cell in zip(code, executed, strict=True):
        if role in ("exercise", "solution"):
            said = "".join(each.get("text", "") for each in cell.outputs)
            if said.startswith("✓") != (role == "solution"):
                raise RuntimeError(f"{source.name}: the check of this {role} says {said!r}\n{text}")


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


def write(source: Path, shown: list[dict[str, list[nbformat.NotebookNode]]]) -> None:
    """Write the notebooks of a lesson in both languages, with the outputs of its code cells.

    Raises:
        RuntimeError: no installed font has Korean letters.
    """
    korean = [output.get("data", {}) for cell in shown for output in cell["ko"]]
    if any(data.get("image/png", "") is None for data in korean):
        raise RuntimeError("No installed font has Korean letters. Install fonts-nanum.")
    for language in SOLUTION:
        made = notebook(source, language)
        roles = [role for role, _ in cells(source) if role in ("code", "exercise")]
        code = [cell for cell in made.cells if cell.cell_type == "code"]
        with_output = [c for c, role in zip(code, roles, strict=True) if role == "code"]
        for number, (cell, several) in enumerate(zip(with_output, shown, strict=True), start=1):
            cell.execution_count, cell.outputs = number, several[language]
        with atomic(FOLDER / language / f"{source.stem}.ipynb") as temporary:
            nbformat.write(made, temporary)


def main(arguments: list[str]) -> None:
    """Execute the lessons named, or all; write their notebooks unless `--check` is given."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    names = {each for each in arguments if each != "--check"}
    unknown = names - {source.stem for source in sources()}
    if unknown:
        raise SystemExit(f"No such lesson: {', '.join(sorted(unknown))}")
    chosen = [source for source in sources() if not names or source.stem in names]
    checked = "--check" in arguments
    # Two at a time: most of a lesson is the single-threaded start of its kernel and of graphs.
    with ThreadPoolExecutor(2) as pool:
        executed = [pool.submit(timed, source, pictures=not checked) for source in chosen]
        for source, future in zip(chosen, executed, strict=True):
            print(f"{source.stem}: ", end="", flush=True)  # the lesson that fails is named
            shown, seconds = future.result()
            if not checked:
                write(source, shown)
            print(f"{seconds:.0f} s", flush=True)


def timed(source: Path, *, pictures: bool) -> tuple[list[dict], float]:
    """Return the `outputs` of a lesson and how many seconds it took."""
    started = time.monotonic()
    return outputs(source, pictures=pictures), time.monotonic() - started


if __name__ == "__main__":
    main(sys.argv[1:])
