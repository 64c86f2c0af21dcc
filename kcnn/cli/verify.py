"""The command `kcnn verify`: run a bundle on every runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kcnn.cli.console import console
from kcnn.cli.shared import DataDir, check_new, load_test, start_tensorflow
from kcnn.cli.show import print_wide

if TYPE_CHECKING:
    import numpy as np

    from kcnn.bundle import Result, Verification
    from kcnn.data import Data, HeldOut

_NAMED = 20  # extra files that are named


def verify(  # noqa: PLR0913 - one argument a flag
    bundle: Annotated[Path, typer.Argument(help="What `kcnn export --bundle` wrote.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Also score on the test images of these data.")
    ] = None,
    data_dir: DataDir = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="Use only this many test images, the first ones.")
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(help="Only this runtime, or your own, module:name. Repeatable."),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="First install TFLite Micro, MediaPipe, LiteRT.js.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the results as JSON.")] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until a runtime is stopped.")
    ] = 900.0,
) -> None:
    """Check a bundle on every runtime that is installed.

    These are LiteRT, MediaPipe, TFLite Micro, plain C and LiteRT.js. Each of them must give the
    golden answers that the bundle holds.
    """
    check_new(out, "--out")
    start_tensorflow()
    from kcnn import bundle as bundles

    manifest = bundles.read(bundle)
    if install:
        _install()
    tested, labels = None, None
    if data:
        loaded = load_test(bundle, data, data_dir, manifest.input.shape[1:], manifest.labels)
        tested, labels = _test_images(loaded, images)
    verification = bundles.verify(bundle, tested, labels, runtimes=runtime or None, timeout=timeout)
    _print(verification.results, manifest.golden.count)
    _print_extra(verification.extra_files)
    _print_checks(verification)
    if out:
        verification.save(out, data=data)
    if verification.failures:
        raise ValueError(" ".join(verification.failures))


def _install() -> None:
    """Install runtimes and print which. One that cannot be installed is skipped later."""
    from kcnn import runtimes

    try:
        lines = [f"installed {line}" for line in runtimes.install()]
    except RuntimeError as reason:
        lines = [str(reason)]
    for line in lines:
        console.print(line)


def _test_images(loaded: "Data | HeldOut", count: int | None) -> tuple["np.ndarray", "np.ndarray"]:
    import numpy as np

    batches = loaded.test.unbatch().take(count or loaded.num_test).batch(1000)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _print(results: tuple["Result", ...], golden: int) -> None:
    from kcnn.bundle.result import HEADER

    table = Table(box=None)
    for index, name in enumerate(HEADER):
        whole = name in ("runtime", "p50/p90/p99 ms")  # these cells do not break
        table.add_column(name, justify="right" if index else "left", no_wrap=whole)
    for result in results:
        if result.golden_equal is not None:
            table.add_row(*result.row(golden))
    print_wide(table)
    for result in results:
        if result.skipped is not None:
            console.print(f"skipped {result.title}: {result.skipped}")


def _print_checks(verification: "Verification") -> None:
    """Say how README, snippets and page read the outputs, and what becomes of photographs."""
    arithmetic, pixels = verification.arithmetic, verification.pixels
    if arithmetic and arithmetic.differences:
        console.print(
            f"{', '.join(arithmetic.differences)} read the outputs within "
            f"{max(arithmetic.differences.values()):.1g} of the model's probabilities, which are "
            f"{arithmetic.from_source:.4f} from the Keras model's on average"
        )
    for name, levels in pixels.items():
        console.print(f"golden photographs, scaled by {name}: within {levels} levels of 0-255")


def _print_extra(files: tuple[str, ...]) -> None:
    """Name what is in the folder and was not checked."""
    if files:
        more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
        console.print(f"not in bundle.json, so not checked: {', '.join(files[:_NAMED])}{more}")
