"""How kcnn words an error: a name that is not known, another library's reason in one line."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from difflib import SequenceMatcher, get_close_matches
from os.path import commonprefix
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


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


def listed(names: Iterable[str], limit: int = 5) -> str:
    """Return the first names with commas, and how many more there are.

    >>> listed("abc", 2)
    'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


class Advised(ValueError):
    """An error whose advice is an argument in Python, and a flag at the command line.

    Attributes:
        command: The whole message for the command line.

    >>> error = Advised("The batch is too large:", python="pass x=8.", command="--set x=8.")
    >>> str(error), error.command
    ('The batch is too large: pass x=8.', 'The batch is too large: --set x=8.')
    """

    def __init__(self, text: str, *, python: str, command: str) -> None:
        super().__init__(f"{text} {python}")
        self.command = f"{text} {command}"


def invalid(error: "ValidationError", whole: str) -> ValueError:
    """Return pydantic's first objection as one line in our own words.

    Args:
        error: what pydantic raised.
        whole: what the line calls the value that pydantic checked, for an objection to all of it.

    >>> from pydantic import TypeAdapter, ValidationError
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"epochs": None})
    ... except ValidationError as error:
    ...     print(invalid(error, "recipe"))
    epochs must be an integer. Received: None
    """
    errors = error.errors()
    place = _place(errors[0], whole)
    if errors[0]["type"] == "value_error":  # our own words, which say what was received
        return ValueError(f"{place}: {errors[0].get('ctx', {})['error']}")
    # A value that fits none of several types has one objection for each of them.
    objections = [_objection(each) for each in errors if _place(each, whole) == place]
    text = " or ".join(dict.fromkeys(objections)).replace(" or must be ", " or ")
    if errors[0]["type"] in _WITHOUT_VALUE:
        return ValueError(f"{place} {text}.")
    received = errors[0].get("ctx", {}).get("actual_length", errors[0]["input"])
    return ValueError(f"{place} {text}. Received: {_short(received)}")


# What a field must be, by pydantic's name for the objection, with the numbers that it gives.
_LIST = 'must be a list in brackets, such as [64, 64] or ["a", "b"]'
_OBJECTIONS = {
    "bool_parsing": "must be True or False",
    "bool_type": "must be True or False",
    "dataclass_type": "must be a {class_name} or a dictionary of its fields",
    "dict_type": "must be a dictionary",
    "extra_forbidden": "is not a known key",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_type": "must be an integer",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": _LIST,
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have {min_length} or more entries",
    "tuple_type": _LIST,
    "unexpected_keyword_argument": "is not a known key",
}
_WITHOUT_VALUE = ("extra_forbidden", "missing", "unexpected_keyword_argument")


def _objection(error: "ErrorDetails") -> str:
    numbers = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in error.get("ctx", {}).items()
    }
    known = _OBJECTIONS.get(error["type"])
    return known.format(**numbers) if known else f"is not valid: {' '.join(error['msg'].split())}"


def _place(error: "ErrorDetails", whole: str) -> str:
    """Return the key of a field as a user writes it: `train.epochs`."""
    # Of a value that may have several types, pydantic's path ends in one of them.
    keys = [str(key) for key in error["loc"] if not _TYPE.fullmatch(str(key))]
    return ".".join(key if key and key.isprintable() else repr(key) for key in keys) or whole


_TYPE = re.compile(r"int|float|str|bool|\w+\[.*\]")


def _short(value: object, limit: int = 80) -> str:
    text = type(value).__name__ if is_dataclass(value) else " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[:limit]}..."


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return the text of an error as one line of at most `limit` characters, or its class's name.

    An error of pydantic is put in our own words, as by `invalid`. Control characters are written as
    Python writes them.

    >>> one_line(ValueError("a reason   in one line"))
    'a reason in one line'
    """
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        error = invalid(error, error.title.lower())
    text = " ".join(str(error).split())[:limit]
    if not text.isprintable():
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text or type(error).__name__


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Name the file in any error of the code that reads it, also of damage that nobody expects.

    Raises:
        ValueError: the block raised an error, but an OSError, which names its file itself.

    >>> with naming("recipe.json"):
    ...     {}["seed"]
    Traceback (most recent call last):
    ValueError: 'recipe.json' cannot be read: KeyError: 'seed'
    """
    try:
        yield
    except OSError:
        raise
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r} cannot be read: {one_line(error)}") from error
    except Exception as error:  # the readers of other libraries raise nearly every kind of it
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ValueError(f"{os.fspath(path)!r} cannot be read: {reason}") from error
