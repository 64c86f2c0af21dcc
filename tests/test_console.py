"""What the command line prints of text from others, and the line that an error ends with."""

import io
import logging
import signal
import tempfile

import numpy as np
import pytest
from rich.table import Table

from kcnn import models
from kcnn.cli import main, show
from kcnn.cli.commands import app
from kcnn.cli.console import TextConsole, TextFormatter, console
from kcnn.evaluation import Evaluation

HOSTILE = "[red]a[/] :smile: \x1b[2J\x1b]0;title\x07\r\u202edc\u2028\x00\udcff"
SHOWN = r"[red]a[/] :smile: \x1b[2J\x1b]0;title\x07\r\u202edc\u2028\x00\udcff"
BUG = "This is a bug in kcnn, please report it: "


def printed(thing):
    file = io.StringIO()
    TextConsole(file=file, width=200, color_system=None).print(thing)
    return file.getvalue()


def test_text_from_others_is_printed_as_text():
    table = Table("class", box=None, title=HOSTILE, title_style="")
    table.add_row(HOSTILE)
    for thing in (HOSTILE, table):
        output = printed(thing)
        assert SHOWN in output
        assert not set(output) & set("\x1b\x07\r\x00\u202e\u2028\udcff")
    assert printed(table).count(SHOWN) == 2


def test_log_lines_are_printed_as_text():
    record = logging.LogRecord("kcnn", logging.INFO, "", 0, "%s\n%s", (HOSTILE, "é 猫"), None)
    assert TextFormatter().format(record) == f"{SHOWN}\né 猫"


def test_the_classes_of_others_are_in_the_table_of_a_score(capsys):
    score = Evaluation(0.5, 1, 0.1, (0.5, 0.5), np.eye(2), 2, np.eye(2), np.arange(2))
    show.evaluation(score, ["[bold]cat[/bold]", "do\x1b[31mg"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split()[:2] == ["[bold]cat[/bold]", "50.00%"]
    assert lines[-1].split()[:2] == [r"do\x1b[31mg", "50.00%"]


def failed(capsys, *arguments):
    """Return the one line that a command ends with."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kcnn: ")
    return line


@pytest.fixture(autouse=True)
def _quiet_again():
    logger = logging.getLogger("kcnn")
    kept = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(kept[0])
    logger.propagate, logger.handlers = kept[1:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("recipe.json", b"\xff\xfe{}"),
        ("recipe.json", b"[" * 100_000),
        ("recipe.json", b'{"seed": ' + b"9" * 5000 + b"}"),
        ("recipe.json", b"{}}"),
        ("labels.txt", b"cat\n\xff\n"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(capsys, tmp_path, name, content):
    models.save(models.lenet5(), tmp_path / "model.keras")
    (tmp_path / name).write_bytes(content)
    command = ["export", tmp_path, "--quantization", "float16", "--out", tmp_path / "new.tflite"]
    if name == "recipe.json":
        command = ["evaluate", tmp_path]
    line = failed(capsys, *command)
    assert str(tmp_path / name) in line
    assert "bug" not in line


ERRORS = [
    ("ValueError('a\\x1b[2Jb')", "kcnn: a\\x1b[2Jb"),
    ("ValueError('a\\nb')", "kcnn: a b"),
    ("MemoryError('24 GiB')", "kcnn: The memory does not suffice: 24 GiB. {}"),
    ("OverflowError('too large')", "kcnn: OverflowError: too large ({bug}{})"),
    ("KeyError('conv')", "kcnn: KeyError: 'conv' ({bug}{})"),
    ("AssertionError()", "kcnn: AssertionError ({bug}{})"),
    ("RecursionError('deep')", "kcnn: RecursionError: deep ({bug}{})"),
    ("SyntaxError('a\\nb')", "kcnn: SyntaxError: a b ({bug}{})"),
    ("__import__('tokenize').TokenError('EOF')", "kcnn: TokenError: EOF ({bug}{})"),
]


@pytest.mark.parametrize(("error", "line"), ERRORS)
def test_every_error_is_one_line(capsys, monkeypatch, error, line):
    monkeypatch.delenv("KCNN_DEBUG", raising=False)
    code: dict = {}
    exec(f"def fail():\n    raise {error}\n", code)
    app.command("fail")(code["fail"])
    try:
        text = line.format("KCNN_DEBUG=1 shows the traceback.", bug=BUG)
        assert failed(capsys, "fail") == text
        monkeypatch.setenv("KCNN_DEBUG", "1")
        with pytest.raises(Exception, match=".*") as caught:
            main(["fail"])
        assert caught.traceback[-1].name == "fail"
    finally:
        app.registered_commands.pop()


def test_an_error_of_your_own_code_is_not_called_a_bug_of_kcnn(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("KCNN_DEBUG", raising=False)
    own = tmp_path / "own_pixels.py"
    own.write_text("def change(images, seed):\n    return {}['pixels']\n")
    recipe = tmp_path / "own.py"
    recipe.write_text(
        "from kcnn.recipe import Data, Recipe\n"
        "recipe = Recipe(data=Data(name='digits', augment='own_pixels:change'))\n"
    )
    line = failed(capsys, "run", recipe, "--smoke", "--out", tmp_path / "run")
    assert line.startswith("kcnn: ") and "KeyError: 'pixels'" in line
    assert "bug" not in line


@pytest.fixture
def command():
    """Add a command to kcnn, called "own"."""
    yield app.command("own")
    app.registered_commands.pop()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_any_command_and_its_temporary_folders_go(command, name, tmp_path):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)

    @command
    def wait():
        with tempfile.TemporaryDirectory(dir=tmp_path):
            signal.raise_signal(number)

    try:
        with pytest.raises(SystemExit) as ended:
            main(["own"])
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert not list(tmp_path.iterdir())


class Closed(io.StringIO):
    """A pipe whose reader has ended."""

    def write(self, text):
        raise BrokenPipeError


def test_a_log_that_nobody_reads_stops_nothing_and_shows_no_traceback(command, capsys, monkeypatch):
    done = []

    @command
    def work():
        logging.getLogger("kcnn").info("a line")
        done.append("work")

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(SystemExit) as ended:
        main(["own"])
    assert (ended.value.code, done) == (0, ["work"])
    assert capsys.readouterr().err == ""


def test_a_terminal_that_lacks_a_character_gets_it_as_python_writes_it(command, monkeypatch):
    @command
    def say():
        logging.getLogger("kcnn").info("猫")
        console.print("−0.50")

    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    with pytest.raises(SystemExit) as ended:
        main(["own"])
    assert ended.value.code == 0
    assert written.getvalue().splitlines() == [b"\\u732b", b"\\u22120.50"]
