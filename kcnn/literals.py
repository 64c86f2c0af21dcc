"""Write a text as a string literal of Kotlin, Swift, C or C++.

Printable characters stay as they are, so that a reader sees the names. All others become escape
sequences: line breaks and NUL would break the source, and characters that change the direction of
text would show a reviewer other code than the compiler reads.
"""

import re
from collections.abc import Callable, Mapping

_SHARED = {"\\": "\\\\", '"': '\\"'}


def kotlin_string(text: str) -> str:
    r"""Return a Kotlin literal. A dollar sign would begin a template.

    >>> print(kotlin_string('5 $ "and"\0'))
    "5 \$ \"and\"\u0000"
    """

    def escape(character: str) -> str:
        units = character.encode("utf-16-be")  # Kotlin escapes UTF-16 units: two for an emoji
        return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))

    return _literal(text, _SHARED | {"$": "\\$"}, escape)


def swift_string(text: str) -> str:
    r"""Return a Swift literal. An escaped backslash cannot begin an interpolation.

    >>> print(swift_string('5 $ \\(x)\0'))
    "5 $ \\(x)\u{0}"
    """
    return _literal(text, _SHARED, lambda character: f"\\u{{{ord(character):x}}}")


def c_string(text: str) -> str:
    r"""Return a C and C++ literal, in UTF-8. Two question marks would begin a trigraph.

    >>> print(c_string('what??!\0'))
    "what?\?!\000"
    """

    def escape(character: str) -> str:
        # Octal: three digits end the sequence, a hexadecimal one would take digits that follow.
        return "".join(f"\\{byte:03o}" for byte in character.encode())

    return re.sub(r"(?<=\?)\?", r"\\?", _literal(text, _SHARED, escape))


def _literal(text: str, special: Mapping[str, str], escape: Callable[[str], str]) -> str:
    characters = (
        special.get(each) or (each if each.isprintable() else escape(each)) for each in text
    )
    return f'"{"".join(characters)}"'
