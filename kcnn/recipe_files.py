"""Where recipes lie and how one is read: by name, or from a file of the user's own."""

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from kcnn.errors import unknown
from kcnn.recipe import Recipe


@dataclass(frozen=True)
class RecipeFile:
    """A recipe and the file that it came from."""

    name: str
    path: Path
    recipe: Recipe


def shipped() -> dict[str, Path]:
    """Return the recipes that come with kcnn, by name.

    >>> sorted(shipped())
    ['lenet5', 'quickstart', 'resnet20', 'simple_cnn']
    """
    return {path.stem: path for path in sorted(_folder().glob("[!_]*.py"))}


def title(path: Path) -> str:
    """Return the first line of a recipe's docstring, without running the file."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def load(name_or_path: str) -> RecipeFile:
    """Return a recipe by the name it is shipped under, or from a Python file.

    Raises:
        ValueError: no such recipe or file, or the file defines no `recipe`.

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
    return RecipeFile(path.stem, path, _recipe_of(path))


def _folder() -> Path:
    """Beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def _recipe_of(path: Path) -> Recipe:
    spec = importlib.util.spec_from_file_location(f"_kcnn_recipe_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: {type(error).__name__}: {reason}") from error
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise ValueError(f"{path} defines no `recipe = kcnn.recipe.Recipe(...)`.")
    return recipe
