"""Kinds of exercises: a number, a choice, an array, a function.

A text is a pair: English, Korean. A fault is a text that says what is wrong with an answer.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Text = tuple[str, str]


@dataclass(frozen=True)
class Exercise:
    """What judges an answer, and the hint that follows each fault.

    Attributes:
        judge: takes an answer; returns what is wrong with it, or None.
        hint: how to go on.
    """

    judge: Callable[[Any], Text | None]
    hint: Text

    def fault(self, answer: object) -> Text | None:
        """Return what is wrong with any answer, also one that the judge cannot handle."""
        try:
            return self.judge(answer)
        except Exception as error:  # an answer can be anything
            what = f"{type(error).__name__}: {error}"
            return (f"Your answer raises {what}", f"답을 확인하다가 오류가 났습니다. {what}")


def number(
    expected: float, hint: Text, mistakes: Mapping[float, Text] | None = None, tolerance: float = 0
) -> Exercise:
    """Return an exercise whose answer is one number.

    Args:
        expected: the number.
        hint: how to find it.
        mistakes: what led to a wrong number, by that number.
        tolerance: how far an answer may be off.
    """

    def judge(answer: Any) -> Text | None:
        value = np.asarray(answer)
        if value.size != 1 or value.dtype.kind not in "iuf":
            return _expected("one number", "수 하나", answer)
        given = float(value.ravel()[0])
        if abs(given - expected) <= tolerance:
            return None
        for wrong, why in (mistakes or {}).items():
            if abs(given - wrong) <= tolerance:
                return why
        if not np.isfinite(given):
            return _expected("a finite number", "유한한 수", answer)
        said = f"{given:.10g}"
        if given < expected:
            return (f"{said} is too small.", f"{said}: 너무 작습니다.")
        return (f"{said} is too large.", f"{said}: 너무 큽니다.")

    return Exercise(judge, hint)


def choice(right: str, wrong: Mapping[str, Text], hint: Text) -> Exercise:
    """Return an exercise whose answer is one of several words.

    Args:
        right: the right word.
        wrong: why each of the other words is wrong.
        hint: how to find the right one.
    """
    words = ", ".join(sorted(repr(word) for word in (right, *wrong)))

    def judge(answer: Any) -> Text | None:
        if answer == right:
            return None
        if isinstance(answer, str) and answer in wrong:
            return wrong[answer]
        return _expected(f"one of {words}", f"{words} 중 하나", answer)

    return Exercise(judge, hint)


def array(expected: Any, hint: Text, mistakes: Sequence[tuple[Any, Text]] = ()) -> Exercise:
    """Return an exercise whose answer is an array.

    Args:
        expected: the array.
        hint: how to find it.
        mistakes: wrong arrays, each with what led to it.
    """
    right = np.asarray(expected, float)

    def judge(answer: Any) -> Text | None:
        given = np.asarray(answer, float)
        for wrong, why in mistakes:
            if given.shape == np.shape(wrong) and np.allclose(given, wrong):
                return why
        if given.shape != right.shape:
            return (
                f"Your array has the shape {given.shape}; expected {right.shape}.",
                f"배열의 모양이 {given.shape}입니다. {right.shape}이어야 합니다.",
            )
        different = int((~np.isclose(given, right)).sum())
        if not different:
            return None
        return (
            f"{different} of {right.size} values are wrong.",
            f"값 {right.size}개 중 {different}개가 틀렸습니다.",
        )

    return Exercise(judge, hint)


def function(right: Callable, cases: Sequence[tuple], hint: Text) -> Exercise:
    """Return an exercise whose answer is a function.

    Args:
        right: a correct function.
        cases: arguments with which both are called.
        hint: how to write it.
    """

    def judge(answer: Any) -> Text | None:
        if not callable(answer):
            return _expected("a function", "함수", answer)
        for arguments in cases:
            called = f"f({', '.join(_short(each) for each in arguments)})"
            expected = right(*arguments)
            given = answer(*copy.deepcopy(arguments))  # which may change them in place
            if given is ...:
                return (
                    "The function still returns `...`: replace it by your formula.",
                    "함수가 아직 `...`을 돌려줍니다. 식으로 바꾸세요.",
                )
            if given is None:
                return (f"{called} returns nothing.", f"{called}가 아무것도 돌려주지 않습니다.")
            if np.asarray(given).dtype.kind not in "biuf":
                return (
                    f"{called} returns {_cut(given)}, which is no number.",
                    f"{called}의 결과가 수가 아니라 {_cut(given)}입니다.",
                )
            given, expected = np.asarray(given, float), np.asarray(expected, float)
            if given.shape != expected.shape or not np.allclose(given, expected, atol=1e-5):
                return (
                    f"{called} returns {_short(given)}; expected {_short(expected)}.",
                    f"{called}의 결과가 {_short(given)}입니다. {_short(expected)}이어야 합니다.",
                )
        return None

    return Exercise(judge, hint)


def _short(value: Any) -> str:
    """Return a value as one line of at most 60 characters."""
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():g}" if array.dtype.kind in "iuf" else _cut(value)
    text = np.array2string(array, precision=4, separator=", ").replace("\n", "")
    return text if len(text) <= 60 else f"{text[:56]} ..."


def _expected(english: str, korean: str, answer: object) -> Text:
    return (
        f"Expected {english}; received {_cut(answer)}.",
        f"필요한 답: {korean}. 받은 값: {_cut(answer)}",
    )


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."
