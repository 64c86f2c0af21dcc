"""How kcnn words an error: a name that is not known, another library's reason on one line."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from os.path import commonprefix
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def unknown(kind: str, received: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not among the known ones, with the closest match.

    It is returned, not raised, so that the caller's own line is the last one of the traceback.

    >>> raise unknown("model", "resnet2O", ["resnet32", "resnet20"])
    Traceback (most recent call last):
    ValueError: Unknown model 'resnet2O'. Did you mean 'resnet20'? Known: resnet20, resnet32.
    """
    names = sorted(known)
    received_text = str(received)

    def likeness(name: str) -> tuple[float, int]:
        # Of equally close names (resnet2O: resnet20, resnet32), the one that begins alike.
        ratio = SequenceMatcher(None, received_text, name).ratio()
        return ratio, len(commonprefix([name, received_text]))

    close = get_close_matches(received_text, names, n=3, cutoff=0.5)
    best = max(close, key=likeness, default="")
    hint = f" Did you mean {best!r}?" if best else ""
    return ValueError(f"Unknown {kind} {received!r}.{hint} Known: {', '.join(names)}.")


def invalid(error: "ValidationError", whole: str) -> ValueError:
    """Return pydantic's first objection in one line; `whole` names what it has no key of.

    >>> from pydantic import TypeAdapter, ValidationError
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"epochs": None})
    ... except ValidationError as error:
    ...     print(invalid(error, "recipe"))
    epochs: Input should be a valid integer. Received: None
    """
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or whole
    if first["type"] == "value_error":  # our own words, which say what was received
        return ValueError(f"{where}: {first['ctx']['error']}")
    return ValueError(f"{where}: {first['msg']}. Received: {first['input']!r}")


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return the text of an error as one line of at most `limit` characters, or its class's name.

    >>> one_line(ValueError("a reason   in one line"))
    'a reason in one line'
    """
    return " ".join(str(error).split())[:limit] or type(error).__name__
