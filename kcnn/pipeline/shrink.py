"""A trained model on its way to the phone: pruned, slimmed, clustered, in integers."""

import logging

import keras

from kcnn import compress, export, models
from kcnn.arithmetic import model_arithmetic
from kcnn.callbacks import LearningRateLog, MonitorGuard
from kcnn.data import Data
from kcnn.models.files import in_float32
from kcnn.pipeline.variants import Variant
from kcnn.recipe import Cluster, Prune, Quantize, QuantizeAware, Recipe, Slim
from kcnn.run_dir import RunDir
from kcnn.training import distill, make_optimizer, schedules, train

logger = logging.getLogger("kcnn")


def check(recipe: Recipe, model: keras.Model, data: Data) -> None:
    """Refuse what `shrunk` would refuse only after hours of training.

    Raises:
        ValueError: a section names layers that are not there or asks for too few MACs, or the model
            cannot be carried to TF-MOT or be trained for int8.
    """
    model = in_float32(model)
    if section := recipe.prune:
        for sparsity in section.sparsities:
            compress.check_prune(
                model,
                data,
                sparsity=sparsity,
                exclude=section.exclude,
                epochs=section.epochs,
                schedule=section.schedule,
                learning_rate=section.learning_rate,
                teacher=model if section.distill else None,
            )
    if section := recipe.cluster:
        compress.check_cluster(
            model,
            data,
            clusters=section.clusters,
            exclude=section.exclude,
            epochs=section.epochs,
            learning_rate=section.learning_rate,
        )
    if section := recipe.slim:
        compress.check_slim(
            model,
            macs=section.macs,
            criterion=section.criterion,
            exclude=section.exclude,
            multiple_of=section.multiple_of,
        )
    if section := recipe.quantize_aware:
        compress.check_quantize_aware(
            model,
            data,
            epochs=section.epochs,
            learning_rate=section.learning_rate,
            engine=section.engine,
        )


def shrunk(recipe: Recipe, model: keras.Model, data: Data, run_dir: RunDir) -> list[Variant]:
    """Return the model and all variants that the recipe makes of it, each with its file.

    The first pruned level is what is exported and, where the recipe says so, clustered.
    """
    macs = model_arithmetic(model).macs
    whole = Variant("float", models.save(model, run_dir.model), model, macs)
    pruned = prune(recipe.prune, whole, data, run_dir) if recipe.prune else []
    thin = [slim(recipe.slim, whole, data, run_dir)] if recipe.slim else []
    if recipe.cluster:
        thin.append(cluster(recipe.cluster, (pruned or [whole])[0], data, run_dir))
    variants = [whole, *pruned, *thin]
    if recipe.quantize:
        exported = [whole, *pruned[:1], *thin]
        variants += [quantize(recipe.quantize, variant, data) for variant in exported]
        if recipe.quantize_aware:
            variants += quantize_aware(recipe.quantize_aware, recipe.quantize, whole, data, run_dir)
    return variants


def prune(section: Prune, whole: Variant, data: Data, run_dir: RunDir) -> list[Variant]:
    """Return the model at each level of sparsity, each pruned further from the one before."""
    variants, model = [], whole.model
    for sparsity in section.sparsities:
        logger.info("pruning to %.0f %% zeros", 100 * sparsity)
        result = compress.prune(
            model,
            data,
            sparsity=sparsity,
            exclude=section.exclude,
            epochs=section.epochs,
            schedule=section.schedule,
            learning_rate=section.learning_rate,
            teacher=whole.model if section.distill else None,
        )
        model = result.model
        file = models.save(model, run_dir.pruned(sparsity, exported=not variants))
        variants.append(Variant(f"pruned {sparsity:.0%}", file, model, whole.macs))
    return variants


def slim(section: Slim, whole: Variant, data: Data, run_dir: RunDir) -> Variant:
    """Return the model without its weakest filters, after it has recovered."""
    logger.info("taking filters out until %.0f %% of the MACs are left", 100 * section.macs)
    result = compress.slim(
        whole.model,
        macs=section.macs,
        criterion=section.criterion,
        exclude=section.exclude,
        multiple_of=section.multiple_of,
    )
    schedule = schedules.cosine(
        section.learning_rate, epochs=section.epochs, steps_per_epoch=data.steps_per_epoch
    )
    options = {
        "epochs": section.epochs,
        "optimizer": make_optimizer("sgd", schedule, weight_decay=section.weight_decay),
        "callbacks": [LearningRateLog(), MonitorGuard()],
    }
    model = result.model
    if section.distill:
        distill(model, whole.model, data, **options)
    else:
        train(model, data, **options)
    share = result.after.macs / result.before.macs
    file = models.save(model, run_dir.shrunk("slim"))
    return Variant(f"slim, {share:.0%} of the MACs", file, model, result.after.macs)


def cluster(section: Cluster, variant: Variant, data: Data, run_dir: RunDir) -> Variant:
    """Return a variant with few values a kernel; the zeros of a pruned one stay."""
    logger.info("clustering the %s model to %d values a kernel", variant.name, section.clusters)
    result = compress.cluster(
        variant.model,
        data,
        clusters=section.clusters,
        exclude=section.exclude,
        epochs=section.epochs,
        learning_rate=section.learning_rate,
    )
    before = "" if variant.name == "float" else f"{variant.name}, "
    name = f"{before}{section.clusters} clusters"
    return Variant(
        name, models.save(result.model, run_dir.shrunk("clustered")), result.model, variant.macs
    )


def quantize(section: Quantize, variant: Variant, data: Data) -> Variant:
    """Return the variant as an int8 file beside its own."""
    name = "int8" if variant.name == "float" else f"{variant.name}, int8"
    return _int8(name, variant, section, data)


def quantize_aware(
    section: QuantizeAware, quantization: Quantize, whole: Variant, data: Data, run_dir: RunDir
) -> list[Variant]:
    """Return the int8 file of a model trained for it, and that of the same training in floats."""
    logger.info("training for int8, and the same in floats")
    result = compress.quantize_aware(
        whole.model,
        data,
        epochs=section.epochs,
        learning_rate=section.learning_rate,
        engine=section.engine,
    )
    variants = []
    for name, file, model in (
        ("trained for int8", "quantize_aware", result.model),
        ("control: trained on in floats, int8", "trained_on", result.control),
    ):
        saved = models.save(model, run_dir.shrunk(file))
        variants.append(_int8(name, Variant(name, saved, model, whole.macs), quantization, data))
    return variants


def _int8(name: str, variant: Variant, section: Quantize, data: Data) -> Variant:
    logger.info("writing the int8 file: %s", name)
    result = export.export_tflite(
        variant.model,
        variant.file.with_name(f"{variant.file.stem}_int8.tflite"),
        calibration=data.calibration,
        samples=section.samples,
        labels=data.class_names,
    )
    return Variant(name, result.path, variant.model, variant.macs)
