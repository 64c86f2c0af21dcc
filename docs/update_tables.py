"""Write the result tables of the documents again, from the reports in the repository.

    python docs/update_tables.py

The documents are README.md and the pages in docs/. A table lies between `<!-- report FILE -->`,
`<!-- comparison FILE -->`, `<!-- engines FILE -->`, `<!-- compressors FILE -->`,
`<!-- models FOLDER -->`, `<!-- cards FOLDER -->`, `<!-- architectures FILE -->`,
`<!-- dense_scales FILE -->`, `<!-- study FILE -->` or `<!-- scaling PART -->` (of
docs/scaling.json) and `<!-- end -->`; `<!-- report.ko FILE -->` explains it in Korean. A test
checks that the documents have the tables that this script writes.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import receipt_tables
from benchmarks.large.tables import scaling
from kcnn.model_places import MANIFEST
from kcnn.models import FAMILIES, facts
from kcnn.report import (
    comparison_report,
    comparison_table,
    receipts,
    receipts_table,
    study_report,
)
from kcnn.report.best_runs import BestRun, best_runs
from kcnn.report.markdown_table import markdown_table

ROOT = Path(__file__).resolve().parent.parent


def documents() -> list[Path]:
    """Return the files in which tables may lie."""
    return sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md")])


def update_tables(text: str) -> str:
    """Return a document's text with every table written from its report."""
    kinds = "|".join(map(re.escape, _SECTIONS))
    return re.sub(
        rf"(<!-- ({kinds}) (\S+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{_SECTIONS[match[2]](match[3])}{match[4]}",
        text,
        flags=re.DOTALL,
    )


def _run(file: str) -> str:
    report = receipts.load(ROOT / file)
    training = report.training
    if "taken_from" in training:
        trained = f"All variants were made from the model {training['taken_from']}"
    else:
        minutes = float(str(training["seconds"])) / 60
        trained = f"Trained for {training['epochs']} epochs in {minutes:.1f} minutes"
    return (
        f"{receipts_table.markdown(report)}\n\n"
        f"{receipts_table.caption(report)}. {trained} on {report.hardware['cores']} cores; "
        f"one run, seed {report.seed}.\n"
    )


def _run_in_korean(file: str) -> str:
    report = receipts.load(ROOT / file)
    minutes = float(str(report.training["seconds"])) / 60
    return (
        f"{receipts_table.markdown(report)}\n\n"
        f"{report.recipe}: 열은 차례로 모델의 종류, {report.dataset}의 테스트 이미지 "
        f"{report.receipts[0].count:,}장 전체에 대한 정확도, 0인 가중치의 비율, 파일의 바이트 수, "
        f"gzip으로 압축한 바이트 수, {report.hardware['processor']}의 LiteRT에서 한 장씩 잰 "
        "이미지당 밀리초(스레드 하나와 두 개), 파라미터 수, 곱셈-누산(MAC)의 수입니다. "
        f"코어 {report.hardware['cores']}개에서 "
        f"{report.training['epochs']}에포크를 {minutes:.1f}분 동안 학습했습니다. 한 번의 실행, "
        f"시드 {report.seed}.\n"
    )


def _comparison(file: str) -> str:
    report = comparison_report.load(ROOT / file)
    return f"{comparison_table.markdown(report)}\n\n{comparison_table.caption(report)}\n"


def _architectures(file: str) -> str:
    report = json.loads((ROOT / file).read_text())
    rows = [
        (
            name,
            *(f"{each['file']:.1%} ({each['same class']:.1%})" for each in run["found"].values()),
        )
        for name, run in report.items()
    ]
    first = next(iter(report.values()))
    return markdown_table(("network", *first["found"]), rows) + (
        "\n\nAccuracy of the int8 file on the test images of digits, and in brackets the share of "
        "them for which the file and its Keras model predict the same class. One training each, "
        f"{sum(run['minutes'] for run in report.values()):.0f} minutes in all on "
        f"{first['hardware']['cores']} cores of {first['hardware']['processor']}.\n"
    )


def _models(folder: str) -> str:
    known, best = facts.read(), best_runs(ROOT / folder)
    header = ("model", "parameters", "MACs", "accuracy", "int8", "recipe", "paper")
    rows: list[list[str]] = []
    for family in FAMILIES.values():
        paper = f"[{family.paper}]({family.url})" if family.url else family.paper
        for name in family.builders:
            fact, found = known[name], best.get(name, [])
            default = next((run for run in found if not run.variant), None)
            rows.append(_network(f"`{name}`", fact.parameters, fact.macs, default, paper))
            for run in found:
                if run.variant:
                    title = f"`{name}`, {run.variant}"
                    rows.append(_network(title, run.parameters, run.macs, run, paper))
    return markdown_table(header, rows, left=(0, 5, 6)) + "\n"


def _network(
    title: str, parameters: int, macs: int | None, run: BestRun | None, paper: str
) -> list[str]:
    """Return a row of the table of models."""
    millions = f"{macs / 1e6:,.1f} M" if macs else ""
    scores = (
        [run.shown, f"{run.int8:.2%}" if run.int8 else "", f"`{run.recipe}`"] if run else [""] * 3
    )
    return [title, f"{parameters:,}", millions, *scores, paper]


def _cards(folder: str) -> str:
    """Return a table of the published runs, for documents in docs/."""
    header = ("run", "network", "float", "int8", "kB", "ms", "smallest when gzipped", "weights")
    rows: list[list[str]] = []
    for file in sorted((ROOT / folder).glob("*/README.md")):
        report = receipts.load(file.with_name("report.json"))
        whole, int8 = (
            report.receipts[0],
            next((each for each in report.receipts if each.name == "int8"), None),
        )
        cells = ["", "", ""]
        if int8:
            ms = "" if int8.ms_per_image is None else f"{int8.ms_per_image:.2f}"
            cells = [f"{int8.accuracy:.2%}", f"{int8.bytes / 1000:,.0f}", ms]
        place = f"../{folder}/{file.parent.name}"
        title = f"[{file.parent.name}]({place}/README.md), [page]({place}/report.html)"
        weights = "by name" if file.with_name(MANIFEST).is_file() else ""
        cells += [_smallest(report.receipts), weights]
        rows.append([title, f"`{report.model}`", f"{whole.accuracy:.2%}", *cells])
    return markdown_table(header, rows, left=(0, 1, 6, 7)) + "\n"


def _smallest(found: Sequence[receipts.Receipt]) -> str:
    """Return the `.tflite` file that is smallest when gzipped, "" if that is the plain one."""
    files = [each for each in found if each.file.endswith(".tflite")]
    least = min(files, key=lambda each: each.gzip_bytes, default=None)
    if least is None or least.name == "int8":
        return ""
    name = least.name.removesuffix(", int8")
    return f"{name}: {least.accuracy:.2%}, {least.gzip_bytes / 1000:,.0f} kB"


def _study(file: str) -> str:
    """Return a table of the best trials of a study, or of those on its front."""
    report = study_report.load(ROOT / file)
    trials = report.front() if report.int8 else report.ranked()[:10]
    rows = [study_report.row(report, each) for each in trials]
    table = markdown_table(study_report.header(report), rows)
    return f"{table}\n\n{study_report.caption(report)}.\n"


_SECTIONS = {
    "dense_scales": receipt_tables.dense_scales,
    "scaling": scaling,
    "study": _study,
    "report": _run,
    "report.ko": _run_in_korean,
    "comparison": _comparison,
    "architectures": _architectures,
    "engines": receipt_tables.engines,
    "compressors": receipt_tables.compressors,
    "models": _models,
    "cards": _cards,
}


if __name__ == "__main__":
    for document in documents():
        text = document.read_text(encoding="utf-8")
        document.write_text(update_tables(text), encoding="utf-8")
