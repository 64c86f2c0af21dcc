"""The tables of single receipts in `benchmarks/receipts`, for `docs/update_tables.py`."""

import json
from pathlib import Path
from typing import Any

from kcnn.report import receipts
from kcnn.report.markdown_table import markdown_table

ROOT = Path(__file__).resolve().parent.parent


def engines(file: str) -> str:
    """Return a table of kcnn's int8 export beside another one."""
    receipt = json.loads((ROOT / file).read_text())
    columns = {
        "network": ("network", ""),
        "engine": ("engine", ""),
        "bytes": ("bytes", ","),
        "accuracy": ("accuracy", ".2%"),
        "agrees with float": ("agreement", ".2%"),
        "logit error": ("logit_error", ".3f"),
        "CPU seconds": ("cpu_seconds", ".1f"),
    }
    count = receipt["rows"][0]["images"]
    return markdown_table([*columns], _cells(receipt, columns), left=(0, 1)) + (
        f"\n\nOn {count:,} test images; {receipt['calibration_images']} training images "
        "calibrate both. The logit error is the root of the mean square, against the float "
        f"Keras model. {_versions(receipt)}.\n"
    )


def compressors(file: str) -> str:
    """Return a table of both engines of `kcnn.prune` and `kcnn.cluster`."""
    receipt = json.loads((ROOT / file).read_text())
    columns = {
        "what": ("work", ""),
        "engine": ("engine", ""),
        "epochs": ("epochs", ""),
        "seconds": ("seconds", ",.0f"),
        "float": ("accuracy", ".2%"),
        "int8": ("int8_accuracy", ".2%"),
        "int8, gzip bytes": ("int8_gzip_bytes", ","),
    }
    whole = receipts.load(ROOT / "saved_models" / receipt["network"] / "report.json")
    int8 = next(each for each in whole.receipts if each.name == "int8")
    scores = f"{receipt['accuracy']:.2%}", f"{int8.accuracy:.2%}", f"{int8.gzip_bytes:,}"
    before = [f"{receipt['network']}, as published", "", "", "", *scores]
    machine = receipt["hardware"]
    rows = [before, *_cells(receipt, columns)]
    return markdown_table([*columns], rows, left=(0, 1)) + (
        f"\n\nOn {receipt['rows'][0]['images']:,} test images; batches of "
        f"{receipt['batch_size']} of {receipt['train_images']:,} training images. Seconds of the "
        f"whole call on {machine['cores']} cores of {machine['processor']}. {_versions(receipt)}.\n"
    )


def dense_scales(file: str) -> str:
    """Return a table of published files before and after their dense kernels got one scale."""
    receipt = json.loads((ROOT / file).read_text())
    rows, on_micro = receipt["rows"], "TFLite Micro"
    dates = next([*each["one scale"][on_micro]] for each in rows if on_micro in each["one scale"])
    titles = [f"TFLite Micro, {date}" for date in dates]
    lines: list[list[str]] = []
    for row in rows:
        many, one = row["many scales"], row["one scale"]
        cells = [row["file"], *(f"{each['accuracy']:.2%}" for each in (many, one))]
        cells.append(f"{row['same class']:.2%}")
        cells += [
            " → ".join(_steps(each[on_micro][date]) for each in (many, one))
            if on_micro in one
            else ""
            for date in dates
        ]
        lines.append(cells)
    header = ("file", "many scales", "one scale", "same class", *titles)
    count = receipt["images for TFLite Micro"]
    return markdown_table(header, lines) + (
        "\n\nAccuracy, and the share of images for which both files predict the same class, on all "
        f"{rows[0]['images']:,} test images of CIFAR-10. The last columns say by how many steps of "
        "its stored outputs each version departs from LiteRT's reference kernels on "
        f"{count} of them, for the file with many scales → with one.\n"
    )


def _cells(receipt: dict[str, Any], columns: dict[str, tuple[str, str]]) -> list[list[str]]:
    """Return a row for each of the receipt's: a column has the name of a value and its format."""
    return [[format(row[name], how) for name, how in columns.values()] for row in receipt["rows"]]


def _versions(receipt: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in receipt["versions"].items())


def _steps(found: Any) -> str:
    return "refused" if isinstance(found, str) else str(found["largest difference in steps"])
