"""Compare int8 files with a scale for each output of a dense layer with those that have one scale.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.dense_scales /tmp/earlier/saved_models

For each int8 file of `saved_models` that was another one then, the receipt has the accuracy of both
on all test images of CIFAR-10, the share of images for which both predict the same class, and what
TensorFlow Lite Micro of May 2024, of June 2024 and of today makes of some images, of the int8 file
of each whole network: how far its stored outputs are from LiteRT's reference kernels, or that it
refuses the file.
`python -m tests.old_micro` installs the two old versions.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from kcnn.data import load
from kcnn.evaluation import evaluate
from kcnn.pipeline.samples import spread_images
from kcnn.provenance import hardware, sha256, timestamp
from kcnn.run_dir import atomic
from kcnn.runtimes import RUNTIMES
from tests.old_micro import VERSIONS, runtime_of

ROOT = Path(__file__).resolve().parent.parent
_WHOLE = "model_int8.tflite"


def changed(earlier: Path, saved: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each published file with the one that had its place earlier, if it was another one."""
    for file in sorted(saved.glob("*/*.tflite")):
        old = earlier / file.relative_to(saved)
        if old.is_file() and old.read_bytes() != file.read_bytes():
            yield old, file


def on_micro(file: Path, images: np.ndarray, expected: np.ndarray) -> dict[str, object]:
    """Return what each version of TensorFlow Lite Micro makes of a file.

    Args:
        file: int8.
        images: uint8 `(count, height, width, channels)`.
        expected: the outputs of LiteRT's reference kernels without their zero point.
    """
    found: dict[str, object] = {}
    runtimes = {date: runtime_of(date) for date in VERSIONS} | {"today": RUNTIMES["tflite-micro"]}
    for date, runtime in runtimes.items():
        try:
            levels = runtime.run(file.read_bytes(), images).levels
        except RuntimeError as error:
            found[date] = f"refused: {str(error)[:120]}"
            continue
        same = float(np.mean(levels.argmax(axis=1) == expected.argmax(axis=1)))
        steps = int(np.abs(levels - expected).max())
        found[date] = {"largest difference in steps": steps, "same class": same}
    return found


def main() -> int:
    """Measure all files, and write the receipt after each of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dense_scales")
    parser.add_argument("earlier", type=Path, help="saved_models of an earlier commit")
    parser.add_argument("--images", type=int, default=100, help="for TensorFlow Lite Micro")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/receipts/dense_scales.json")
    given = parser.parse_args()
    data, rows = load("cifar10", batch_size=250), []
    images, _ = spread_images(data, given.images)
    for files in changed(given.earlier, ROOT / "saved_models"):
        row: dict[str, object] = {"file": "/".join(files[1].parts[-2:])}
        scores = [evaluate(file, data.test, expected_count=data.num_test) for file in files]
        same = scores[0].logits.argmax(axis=1) == scores[1].logits.argmax(axis=1)
        for name, file, score in zip(("many scales", "one scale"), files, scores, strict=True):
            row[name] = measured = {
                "sha256": sha256(file),
                "bytes": file.stat().st_size,
                "accuracy": score.accuracy,
            }
            if file.name == _WHOLE:
                reference = RUNTIMES["litert-reference"].run(file.read_bytes(), images).levels
                measured["TFLite Micro"] = on_micro(file, images, reference)
        row |= {"images": len(same), "same class": float(same.mean())}
        rows.append(row)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        receipt = {
            "created": timestamp(),
            "hardware": hardware(),
            "versions": {each: version(each) for each in ("kcnn", "ai-edge-litert")} | VERSIONS,
            "images for TFLite Micro": len(images),
            "rows": rows,
        }
        with atomic(given.out) as temporary:
            temporary.write_text(json.dumps(receipt, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
