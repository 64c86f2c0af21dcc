"""Type-check the Python blocks of the documents: README.md, CONTRIBUTING.md, pages in docs/.

    python docs/check_examples.py

The blocks of a document are checked as one file that has the same line numbers, so that an error
points at the line of the document. The notebooks' `.py` files are checked with the package.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README*.md", "CONTRIBUTING.md", "docs/**/*.md")

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code(document: str) -> str:
    """Return the Python blocks of a Markdown document as one file with the same line numbers.

    Its first line is `import kcnn`, which short blocks leave out.
    """
    lines = ["import kcnn"]
    for block in _BLOCK.finditer(document):
        before = document.count("\n", 0, block.start(1))
        lines += [""] * (before - len(lines))
        lines += block[1].splitlines()
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the checker's report with the documents' names; return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for document in sorted(found for pattern in DOCUMENTS for found in ROOT.glob(pattern)):
            name = re.sub(r"\W", "_", str(document.relative_to(ROOT).with_suffix("")))
            files[Path(folder) / f"{name}.py"] = document
        for file, document in files.items():
            file.write_text(code(document.read_text(encoding="utf-8")), encoding="utf-8")
        checked = subprocess.run(
            ["basedpyright", *map(str, files)], cwd=ROOT, capture_output=True, text=True
        )
        report = checked.stdout + checked.stderr
        for file, document in files.items():
            report = report.replace(str(file.resolve()), str(document)).replace(
                str(file), str(document)
            )
    sys.stdout.write(report)
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
