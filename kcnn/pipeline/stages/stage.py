"""What a stage is: one thing that a run can do with its trained model.

It is light: nothing here imports Keras, so that the command line can read the table of stages
before a backend starts. A stage's own functions import what they need.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kcnn.pipeline.variants import Variant
from kcnn.recipe import Recipe
from kcnn.run_dir import RunDir

if TYPE_CHECKING:
    import keras

    from kcnn.data import Data

TRAINED = "train"
"""The key of `RunContext.made` under which the trained model itself is."""

Section = TypeVar("Section")

logger = logging.getLogger("kcnn")


def unless_keras(section: str, verb: str) -> Callable[[Any], str | None]:
    """Return why the JAX backend cannot do a stage of TF-MOT: with engine "keras" it can."""
    reason = (
        f"TF-MOT, which {verb}, works on TensorFlow only; {section}.engine=keras works on JAX too"
    )
    return lambda given: None if given.engine == "keras" else reason


@dataclass(frozen=True)
class RunContext:
    """What a run has when one of its stages begins.

    Attributes:
        recipe: The whole recipe.
        data: The images that the model was trained on; on JAX a `kcnn.data.JaxData`.
        run_dir: The run's folder.
        made: The variants of each earlier stage, by its name, behind the trained model.
    """

    recipe: Recipe
    data: "Data"
    run_dir: RunDir
    made: Mapping[str, tuple[Variant, ...]]

    @property
    def trained(self) -> Variant:
        """The trained model, from which most stages start."""
        return self.made[TRAINED][0]

    @property
    def variants(self) -> list[Variant]:
        """All variants so far, in the order of their receipts."""
        return [variant for variants in self.made.values() for variant in variants]

    def save(
        self,
        name: str,
        model: "keras.Model",
        suffix: str,
        *,
        macs: int | None = None,
        int8: bool = True,
    ) -> Variant:
        """Write a model as `model_{suffix}.keras` and return it as a variant.

        Args:
            name: What reports call the variant.
            model: The model, in float32.
            suffix: Tells its file from those of other variants.
            macs: Its multiply-accumulates for one image; counted if None.
            int8: Whether the stage `quantize` exports it as an int8 file too.
        """
        from kcnn import models
        from kcnn.arithmetic import model_macs

        file = models.save(model, self.run_dir.variant(suffix))
        macs = model_macs(model) if macs is None else macs
        return Variant(name, file, model, macs, int8=int8)


def in_one_epoch(section: Section) -> Section:
    """Return a section that trains for one epoch; one without epochs stays as it is."""
    fields = {field.name for field in dataclasses.fields(section)}  # type: ignore[arg-type]
    return dataclasses.replace(section, epochs=1) if "epochs" in fields else section  # type: ignore


def accept(section: Any, model: "keras.Model", data: "Data") -> None:
    """Check nothing: the check of a stage that every model passes."""


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[Section]):
    """One thing that a run can do with its trained model, if its recipe has the section for it.

    Attributes:
        name: The name of the recipe's section, and of the stage in messages.
        section: The type of that section: a dataclass, of pydantic or the standard library.
        make: Does it: returns the new variants, whose files it has written. It may return none.
        check: Refuses with a ValueError, before the training, what `make` would refuse after it.
        files: Patterns of the names of all files that it writes into the run's folder, such as
            "model_slim.keras". A run that replaces an earlier one removes them.
        shorten: Returns the section for a run of seconds, `kcnn run --smoke`.
        needs: Names of the recipe's other sections without which it means nothing.
        not_on_jax: Why the JAX backend cannot do it; None if it can; or a function of the section,
            where it depends on that.
    """

    name: str
    section: type[Section]
    make: Callable[[Section, RunContext], list[Variant]]
    check: Callable[[Section, "keras.Model", "Data"], None] = accept
    files: tuple[str, ...]
    shorten: Callable[[Section], Section] = in_one_epoch
    needs: tuple[str, ...] = ()
    not_on_jax: str | Callable[[Section], str | None] | None

    def why_not_on_jax(self, section: Section) -> str | None:
        """Return why the JAX backend cannot do what the section says; None if it can."""
        return self.not_on_jax(section) if callable(self.not_on_jax) else self.not_on_jax


def variant_files(suffix: str) -> tuple[str, str]:
    """Return the patterns of a variant's two files: of Keras, and of its int8 export."""
    return f"model_{suffix}.keras", f"model_{suffix}_int8.tflite"
