"""The one way kcnn says that a name is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, received: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not among the known ones, with the closest match.

    It is returned, not raised, so that the caller's own line is the last one of the traceback.

    >>> raise unknown("model", "resnet2O", ["lenet5", "resnet20"])
    Traceback (most recent call last):
    ValueError: Unknown model 'resnet2O'. Did you mean 'resnet20'? Known: lenet5, resnet20.
    """
    names = sorted(known)
    close = get_close_matches(str(received), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"Unknown {kind} {received!r}.{hint} Known: {', '.join(names)}.")
