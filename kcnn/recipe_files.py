"""Recipes and comparisons as Python files: those that come with kcnn, and the user's own."""

import ast
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from kcnn.comparison import Comparison
from kcnn.errors import naming, one_line, unknown
from kcnn.own_code import importable
from kcnn.recipe import Recipe


@dataclass(frozen=True)
class RecipeFile:
    """A recipe or a comparison, and the file that it came from.

    Attributes:
        name: The name of the file without its suffix.
        path: The file.
        content: The recipe or the comparison.
    """

    name: str
    path: Path
    content: Recipe | Comparison

    @property
    def recipe(self) -> Recipe:
        """The recipe, for callers that cannot use a comparison.

        Raises:
            ValueError: The file holds a comparison.
        """
        if not isinstance(self.content, Recipe):
            raise ValueError(
                f"{self.name!r} is a comparison of {len(self.content.variants)} recipes; "
                "a single recipe is needed here."
            )
        return self.content


def shipped() -> dict[str, Path]:
    """Return the recipes and comparisons that come with kcnn, by name.

    >>> "resnet20" in shipped() and "compare_optimizers" in shipped()
    True
    """
    return {path.stem: path for path in sorted(_folder().glob("[!_]*.py"))}


def title(path: Path) -> str:
    """Return the first line of a recipe's docstring, without running the file."""
    with naming(path):
        return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def load(name_or_path: str) -> RecipeFile:
    """Return a recipe or a comparison: one that comes with kcnn, or one from a Python file.

    Args:
        name_or_path: A name in `shipped()`, or a path that ends in `.py`.

    Raises:
        ValueError: There is no such recipe or file, or running the file fails, or the file defines
            neither `recipe` nor `comparison`, or both.

    >>> load("quickstart").recipe.data.name
    'digits'
    """
    path = Path(name_or_path).expanduser()
    if path.suffix != ".py":
        known = shipped()
        if name_or_path not in known:
            raise unknown("recipe", name_or_path, known)
        path = known[name_or_path]
    elif not path.is_file():
        raise ValueError(f"There is no recipe file {str(path)!r}.")
    return RecipeFile(path.stem, path, _content_of(path))


def _folder() -> Path:
    """Return the folder of the recipes: beside the package, or inside an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def _content_of(path: Path) -> Recipe | Comparison:
    loader = SourceFileLoader(f"_kcnn_recipe_{path.stem}", str(path))
    module = ModuleType(loader.name)
    module.__file__ = str(path)
    try:
        with importable(path.parent):  # as for a script
            loader.exec_module(module)
    except ValidationError as error:
        raise ValueError(f"{path}: {one_line(error)}") from error
    except Exception as error:
        reason = one_line(error)
        raise ValueError(f"{path}: {type(error).__name__}: {reason}") from error
    defined = (getattr(module, name, None) for name in ("recipe", "comparison"))
    contents = [content for content in defined if isinstance(content, Recipe | Comparison)]
    if len(contents) != 1:
        raise ValueError(
            f"{path} defines {'both' if contents else 'no'} `recipe = kcnn.recipe.Recipe(...)` "
            f"{'and' if contents else 'and no'} `comparison = kcnn.comparison.Comparison(...)`."
        )
    return contents[0]
