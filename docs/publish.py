"""Take a finished run into `saved_models/`, with its weights, card, robustness and verification.

    python docs/publish.py runs/resnet20 resnet20 [--data-dir FOLDER] [--float16] [--images 1000]
    python docs/publish.py runs/tune/resnet8 tune_resnet8    # of a study: its table and pictures

Nothing of an earlier run under the name stays, and nothing is written unless all of it succeeds.
The folder gets the receipts, recipe, history, page and pictures, the int8 files, `weights.npz`
with its manifest, the `.keras` file if it has at most 5 MB, the golden answers and the classifiers
of its bundle, `robustness.json`, `verification.json` and a model card. Then run

    python docs/update_cards.py && python docs/update_tables.py
"""

import argparse
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcnn import bundle, models, pipeline
from kcnn.data import Data
from kcnn.pipeline.samples import spread_images
from kcnn.pipeline.setup import load_for_tensorflow
from kcnn.recipe import Recipe
from kcnn.report import study_report
from kcnn.report.card import write_card
from kcnn.report.run_files import RunFiles, read_run
from kcnn.report.run_page import write_page
from kcnn.run_digests import read_journal
from kcnn.tune.results import RESULTS, write_report

ROOT = Path(__file__).resolve().parent.parent
SAVED = ROOT / "saved_models"
LARGEST_WEIGHTS = 5_000_000
LARGEST_FOLDER = 90_000_000
COPIED = ("*.json", "*.csv", "*.txt", "*.png", "*.tflite")
NOT_COPIED = ("run.json",)
OF_BUNDLE = ("golden", "snippets")

logger = logging.getLogger("kcnn")


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        data_dir: where prepared tfds data sets lie.
        float16: also publish weights above 5 MB, as float16.
        images: test images for the runtimes and the corruptions; None for all.
    """

    data_dir: str | None = None
    float16: bool = False
    images: int | None = None


def publish(folder: Path, name: str, options: Options) -> Path:
    """Take a run into `saved_models/NAME` and return that folder.

    Raises:
        ValueError: the folder holds no finished run, its training diverged, it trained nothing, or
            the published files would become too large.
    """
    run = read_run(folder)
    recipe = check(run)
    data = load_for_tensorflow(recipe, options.data_dir)
    target = SAVED / name
    with tempfile.TemporaryDirectory(dir=SAVED, prefix=f".{name}-") as temporary:
        made = Path(temporary) / name
        made.mkdir()
        copy(folder, made)
        write_weights(run, recipe, data, made, options)
        if run.run_dir.model.stat().st_size <= LARGEST_WEIGHTS:
            shutil.copy(run.run_dir.model, made)
        pipeline.score_robustness(folder, data, recipe.data.name, count=options.images)
        shutil.copy(folder / "robustness.json", made)
        verify(run, recipe, data, made, options)
        write_page(made)
        write_card(made)
        put_in_place(made, target)
    return target


def publish_study(folder: Path, name: str) -> Path:
    """Take the results of a study into `saved_models/NAME`, without the runs of its trials."""
    report, target = study_report.load(folder / RESULTS), SAVED / name
    with tempfile.TemporaryDirectory(dir=SAVED, prefix=f".{name}-") as temporary:
        made = Path(temporary) / name
        made.mkdir()
        write_report(report, made)
        put_in_place(made, target)
    return target


def check(run: RunFiles) -> Recipe:
    """Return the recipe of a run that can be published."""
    folder = run.run_dir.path
    journal = read_journal(run.run_dir)
    if journal is None or not journal["finished"] or run.recipe is None:
        raise ValueError(f"{str(folder)!r} holds no finished run of this version.")
    if run.report.training.get("stop_reason") == "diverged":
        raise ValueError(f"The training in {str(folder)!r} diverged.")
    if run.recipe.data.limit is not None:
        raise ValueError(f"{str(folder)!r} was trained on {run.recipe.data.limit} images only.")
    return run.recipe


def copy(folder: Path, made: Path) -> None:
    """Copy the small files of a run."""
    for pattern in COPIED:
        for file in folder.glob(pattern):
            if file.name not in NOT_COPIED:
                shutil.copy(file, made)


def write_weights(run: RunFiles, recipe: Recipe, data: Data, made: Path, options: Options) -> None:
    """Write the weights of the trained network: all of them up to 5 MB, larger ones as float16."""
    network = recipe.model.name
    if recipe.trained or recipe.transfer or not network:
        return
    model = models.load(run.run_dir.model)
    arguments: dict[str, Any] = dict(recipe.model.options)
    if tuple(data.image_shape) != (32, 32, 3):
        arguments["input_shape"] = tuple(data.image_shape)
    if len(data.class_names) != 10:
        arguments["num_classes"] = len(data.class_names)
    small = 4 * model.count_params() <= LARGEST_WEIGHTS
    if small or options.float16 or 2 * model.count_params() <= LARGEST_WEIGHTS:
        dtype = "float32" if small else "float16"
        names = tuple(data.class_names)
        models.publish(model, made, network, arguments, names, dtype=dtype)


def verify(run: RunFiles, recipe: Recipe, data: Data, made: Path, options: Options) -> None:
    """Run the int8 file on every runtime that is here, and keep the results.

    Raises:
        ValueError: a runtime gives other answers.
    """
    if not recipe.quantize:
        return
    model = models.load(run.run_dir.model)
    folder = made.parent / "bundle"
    about = bundle.About(data=recipe.data.name, trained_on=recipe.data.name)
    samples = recipe.quantize.samples
    bundle.write_bundle(model, folder, data=data, samples=samples, about=about)
    images, labels = spread_images(data, options.images or data.num_test)
    found = bundle.verify(folder, images, labels)
    if found.failures:
        raise ValueError(" ".join(found.failures))
    found.save(made / "verification.json", data=recipe.data.name)
    for name in OF_BUNDLE:
        shutil.copytree(folder / name, made / "bundle" / name)


def put_in_place(made: Path, target: Path) -> None:
    """Let a folder take the place of what was published under its name."""
    check_size(made, target)
    if target.is_dir():
        target.rename(made.with_name("earlier"))
    made.rename(target)


def check_size(made: Path, target: Path) -> None:
    """Refuse what would make the published files too large."""
    kept = [file for file in SAVED.rglob("*") if file.is_file() and target not in file.parents]
    new = [file for file in made.rglob("*") if file.is_file()]
    kept = [file for file in kept if made.parent not in file.parents]
    total = sum(file.stat().st_size for file in (*kept, *new))
    if total > LARGEST_FOLDER:
        raise ValueError(
            f"saved_models/ would hold {total / 1e6:.0f} MB, more than the "
            f"{LARGEST_FOLDER / 1e6:.0f} MB that a checkout should carry: leave --float16 out, or "
            "remove another run."
        )


def main() -> None:
    """Publish the run or the study that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run, or of a study")
    parser.add_argument("name", help="of the folder in saved_models/")
    parser.add_argument("--data-dir", help="where prepared tfds data sets lie")
    parser.add_argument("--float16", action="store_true", help="also weights above 5 MB")
    parser.add_argument("--images", type=int, help="test images to verify and corrupt; all")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = Options(arguments.data_dir, arguments.float16, arguments.images)
    if (arguments.run / RESULTS).is_file():
        logger.info("%s", publish_study(arguments.run, arguments.name))
    else:
        logger.info("%s", publish(arguments.run, arguments.name, options))


if __name__ == "__main__":
    main()
