"""The README's numbers come from the reports, and its promises from the files."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_table_is_the_reports():
    spec = importlib.util.spec_from_file_location("update_readme", ROOT / "docs/update_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (ROOT / "README.md").read_text()
    assert "<!-- report " in readme
    assert module.updated(readme) == readme
