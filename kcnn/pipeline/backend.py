"""What Keras computes with, and what a run leaves out on JAX."""

import logging
from collections.abc import Iterable
from pathlib import Path

import keras

from kcnn.pipeline.plan import Planned
from kcnn.recipe import Recipe
from kcnn.tensorflow_only import USE_TENSORFLOW

_TIMES = "times in LiteRT"

logger = logging.getLogger("kcnn")


def on_jax() -> bool:
    """Return whether Keras computes with JAX."""
    return keras.config.backend() == "jax"


def check_backend(recipe: Recipe) -> None:
    """Refuse a training that Keras's backend cannot do.

    Raises:
        ValueError: The backend is neither TensorFlow nor JAX, or the recipe needs TensorFlow.
    """
    backend = keras.config.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(f"kcnn runs on the backends tensorflow and jax. Received: {backend!r}")
    if not on_jax():
        return
    if recipe.train.whitening_epochs:
        raise ValueError(
            "train.whitening_epochs needs TensorFlow: leave it out (--set "
            f"train.whitening_epochs=none), or {USE_TENSORFLOW}."
        )
    if "tensorboard" in recipe.train.all_loggers:
        raise ValueError(f"Keras writes for TensorBoard with TensorFlow only: {USE_TENSORFLOW}.")
    if "wandb" in recipe.train.all_loggers:
        raise ValueError(f"The callback of wandb works with TensorFlow only: {USE_TENSORFLOW}.")


def split_plan(plan: Iterable[Planned]) -> tuple[list[Planned], list[Planned]]:
    """Return the stages that can be done on Keras's backend, and those that cannot."""
    plan = list(plan)
    left_out = [each for each in plan if on_jax() and each.stage.why_not_on_jax(each.section)]
    return [each for each in plan if each not in left_out], left_out


def compute_deterministically() -> None:
    """Let TensorFlow compute with deterministic operations for the rest of the process.

    JAX does so on a CPU anyway.

    Raises:
        ValueError: JAX computes on an accelerator.
    """
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        return
    import jax

    if jax.default_backend() != "cpu":
        raise ValueError(
            "--deterministic on JAX is for a CPU. "
            f"Received: JAX computes on {jax.default_backend()!r}."
        )


def facts_of_backend(
    left_out: Iterable[Planned], model_file: Path, *, deterministic: bool
) -> dict[str, str]:
    """Return what a report says about the backend; log with reasons what it leaves out."""
    facts = {"deterministic": "yes"} if deterministic else {}
    if not on_jax():
        return facts
    names = ", ".join([*(each.stage.name for each in left_out), _TIMES])
    logger.info(
        "on the JAX backend this run leaves out: %s; with TensorFlow, what was trained here goes "
        "on: KERAS_BACKEND=tensorflow kcnn export %s",
        names,
        model_file,
    )
    for stage, section, _ in left_out:
        logger.info("  %s: %s", stage.name, stage.why_not_on_jax(section))
    return facts | {"backend": keras.config.backend(), "left_out": names}
