"""Check the links that lead out of the repository.

    python docs/check_links.py              # how they are written, as CI does
    python docs/check_links.py --request    # also ask each server; needs the network

The links are those of the documents, the lessons and the code. Links within the repository are
checked by tests/test_documents.py, and by Sphinx.
"""

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
_PLACES = (
    *("*.md", "*.cff", "docs/**/*.md", "benchmarks/*.md", "saved_models/*/*.md"),
    *("notebooks/lessons/*.py", "kcnn/**/*.py", "recipes/*.py", "docs/*.py"),
)
_LINK = re.compile(r"https?://[^\s<>\"'`\\{}]+")
_LOCAL = ("localhost", "127.0.0.1")
_ANSWERS_PEOPLE_ONLY = (401, 403, 405, 406, 418, 429, 999)
"""What servers answer that are there but refuse programs."""


def links(text: str) -> Iterator[str]:
    """Yield the links of a text, without the punctuation behind them.

    >>> list(links("See (https://a.org/b_(c)), https://a.org/d. And <https://a.org/e>, **https://f.gh**"))
    ['https://a.org/b_(c)', 'https://a.org/d', 'https://a.org/e', 'https://f.gh']
    """
    for found in _LINK.findall(text):
        link = found.rstrip(".,;:!?*|")
        while link.endswith((")", "]")) and link.count(")") > link.count("("):
            link = link[:-1].rstrip(".,;:!?*|")
        yield link.partition("](")[0].rstrip("]")


def fault(link: str) -> str | None:
    """Return what is wrong with how a link is written, or None.

    >>> fault("https://arxiv.org/abs/1512.03385"), fault("http://localhost:8000")
    (None, None)
    >>> fault("http://arxiv.org"), fault("https://arxivorg/abs")
    ('begins with http, not https', 'has no host')
    """
    parts = urlsplit(link)
    if parts.hostname in _LOCAL:
        return None
    if parts.scheme != "https":
        return "begins with http, not https"
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", parts.hostname or ""):
        return "has no host"
    if link.endswith("-"):
        return "ends in the middle"
    if "//" in parts.path:
        return "has two slashes in a row"
    if parts.hostname == "arxiv.org" and not re.fullmatch(
        r"/abs/\d{4}\.\d{4,5}(v\d+)?", parts.path
    ):
        return "is no abstract of arXiv"
    return None


def outside() -> dict[str, list[str]]:
    """Return the links that lead out, each with the files that have it."""
    found: dict[str, list[str]] = {}
    for path in sorted({path for place in _PLACES for path in ROOT.glob(place)}):
        if path == Path(__file__).resolve():
            continue
        for link in links(path.read_text(encoding="utf-8")):
            files = found.setdefault(link, [])
            if (name := str(path.relative_to(ROOT))) not in files:
                files.append(name)
    return found


def ask(link: str) -> str | None:
    """Return what is wrong with the answer to a link, or None."""
    if urlsplit(link).hostname in _LOCAL:
        return None
    request = Request(link, headers={"User-Agent": "Mozilla/5.0"})  # noqa: S310 (https, by `fault`)
    try:
        with urlopen(request, timeout=20):  # noqa: S310
            return None
    except HTTPError as error:
        return None if error.code in _ANSWERS_PEOPLE_ONLY else f"answers {error.code}"
    except (URLError, TimeoutError, OSError) as error:
        return f"cannot be reached: {error}"


def main(arguments: list[str]) -> int:
    """Print each link with a fault, and return how many there are."""
    found = outside()
    faults = {link: reason for link in found if (reason := fault(link))}
    if "--request" in arguments:
        asked = [link for link in found if link not in faults]
        with ThreadPoolExecutor(8) as pool:
            answers = zip(asked, pool.map(ask, asked), strict=True)
            faults |= {link: reason for link, reason in answers if reason}
    for link, reason in faults.items():
        print(f"{link} {reason} ({', '.join(found[link][:3])})")  # noqa: T201
    print(f"{len(found)} links, {len(faults)} with a fault")  # noqa: T201
    return len(faults)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
