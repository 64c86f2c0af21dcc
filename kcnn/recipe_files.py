"""Recipes, comparisons and sweeps as Python files: kcnn's, and the user's own."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from kcnn.comparison import Comparison
from kcnn.errors import naming, one_line, unknown
from kcnn.own_code import importable
from kcnn.recipe import Recipe
from kcnn.sweep import Sweep


@dataclass(frozen=True)
class RecipeFile:
    """A recipe, a comparison or a sweep, and the file that it came from.

    Attributes:
        name: The name of the file without its suffix.
        path: The file.
        content: The recipe or the comparison; the sweep of a file that has nothing else.
        sweep: The sweep of the file, which may also have the recipe by itself.
    """

    name: str
    path: Path
    content: Recipe | Comparison | Sweep
    sweep: Sweep | None = None

    @property
    def recipe(self) -> Recipe:
        """The recipe, for callers that cannot use a comparison.

        Raises:
            ValueError: The file holds a comparison or a sweep.
        """
        if isinstance(self.content, Comparison):
            raise ValueError(
                f"{self.name!r} is a comparison of {len(self.content.variants)} recipes; "
                "a single recipe is needed here."
            )
        if isinstance(self.content, Sweep):
            raise ValueError(
                f"{self.name!r} is a sweep over {len(self.content.space)} fields of a recipe: "
                f"kcnn tune {self.name} searches it. A single recipe is needed here."
            )
        return self.content


def shipped() -> dict[str, Path]:
    """Return the recipes and comparisons that come with kcnn, by name.

    >>> "resnet20" in shipped() and "compare_optimizers" in shipped()
    True
    """
    return {path.stem: path for path in sorted(_folder().glob("[!_]*.py"))}


def sweeps() -> dict[str, Path]:
    """Return the sweeps that come with kcnn, by name.

    >>> "resnet8" in sweeps()
    True
    """
    return {path.stem: path for path in sorted((_folder() / "sweeps").glob("[!_]*.py"))}


def title(path: Path) -> str:
    """Return the first line of a recipe's docstring, without running the file."""
    with naming(path):
        return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def load(name_or_path: str, *, to_tune: bool = False) -> RecipeFile:
    """Return a recipe or a comparison: one that comes with kcnn, or one from a Python file.

    Args:
        name_or_path: A name in `shipped()`, or a path that ends in `.py`.
        to_tune: Whether a name in `sweeps()` stands for the sweep.

    Raises:
        ValueError: There is no such recipe or file, or running the file fails, or the file defines
            no `recipe`, `comparison` or `sweep`, or a comparison beside another one.

    >>> load("quickstart").recipe.data.name
    'digits'
    """
    path = Path(name_or_path).expanduser()
    if path.suffix != ".py":
        known = shipped() | (sweeps() if to_tune else {})
        if name_or_path not in known:
            raise unknown("recipe", name_or_path, known)
        path = known[name_or_path]
    elif not path.is_file():
        raise ValueError(f"There is no recipe file {str(path)!r}.")
    return RecipeFile(path.stem, path, *_content_of(path))


def _folder() -> Path:
    """Return the folder of the recipes: beside the package, or inside an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "_recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def _content_of(path: Path) -> tuple[Recipe | Comparison | Sweep, Sweep | None]:
    module = _run(path)
    recipe, comparison, sweep = (
        getattr(module, name, None) for name in ("recipe", "comparison", "sweep")
    )
    recipe = recipe if isinstance(recipe, Recipe) else None
    comparison = comparison if isinstance(comparison, Comparison) else None
    sweep = sweep if isinstance(sweep, Sweep) else None
    content = recipe or comparison or sweep
    if comparison and (recipe or sweep):
        raise ValueError(
            f"{path} defines both `{'recipe' if recipe else 'sweep'}` and `comparison`: keep them "
            "in two files."
        )
    if content is None:
        raise ValueError(
            f"{path} defines no `recipe = kcnn.recipe.Recipe(...)`, no `comparison = "
            "kcnn.comparison.Comparison(...)` and no `sweep = kcnn.sweep.Sweep(...)`."
        )
    return content, sweep


def _run(path: Path) -> ModuleType:
    """Run a file like a script: what stands beside it is found; no bytecode of it is written."""
    module = ModuleType(f"_kcnn_recipe_{path.stem}")
    module.__file__ = str(path)
    try:
        with importable(path.parent):
            code = compile(path.read_bytes(), path, "exec", dont_inherit=True)
            exec(code, vars(module))
    except ValidationError as error:
        raise ValueError(f"{path}: {one_line(error)}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        if getattr(error, "name", None) == "optuna":
            reason += ". Sweeps need Optuna: pip install 'kcnn[tune]'."
        raise ValueError(f"{path}: {reason}") from error
    return module
