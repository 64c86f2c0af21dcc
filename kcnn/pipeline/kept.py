"""The variants that the stages of a run made in earlier processes, recorded and read back."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from kcnn.pipeline.journal import Journal
from kcnn.pipeline.variants import Variant


def record_variants(
    name: str,
    variants: Sequence[Variant],
    before: Sequence[Variant],
    written: Iterable[Path],
    journal: Journal,
) -> None:
    """Record what a stage made, unless an own stage names no file of a variant's model."""
    sources = [_source(variant, [*before, *variants]) for variant in variants]
    if None in sources:
        return
    facts = [
        {
            "name": variant.name,
            "file": variant.file.name,
            "model": source,
            "macs": variant.macs,
            "tta": variant.tta,
            "int8": variant.int8,
        }
        for variant, source in zip(variants, sources, strict=True)
    ]
    files = dict.fromkeys([*written, *(variant.file for variant in variants)])
    journal.record(name, files, variants=facts)


def restore_variants(
    name: str, before: Sequence[Variant], journal: Journal
) -> list[Variant] | None:
    """Return the variants that a stage made in an earlier process, None if it has to be done."""
    from kcnn import models

    facts = journal.facts(name)
    if facts is None:
        return None
    folder, variants = journal.run_dir.path, []
    loaded = {each.file.name: each.model for each in before if each.file.suffix == ".keras"}
    for each in facts["variants"]:
        source = each["model"]
        if source not in loaded:
            loaded[source] = models.load(folder / source)
        rest = {key: each[key] for key in ("name", "macs", "tta", "int8")}
        variants.append(Variant(file=folder / each["file"], model=loaded[source], **rest))
    return variants


def _source(variant: Variant, variants: Sequence[Variant]) -> str | None:
    """Return the name of the `.keras` file that holds the variant's model."""
    if variant.file.suffix == ".keras":
        return variant.file.name
    for each in variants:
        if each.model is variant.model and each.file.suffix == ".keras":
            return each.file.name
    # The model of a stage that shows its int8 file alone lies beside that.
    beside = variant.file.with_name(f"{variant.file.stem.removesuffix('_int8')}.keras")
    return beside.name if beside.is_file() else None
