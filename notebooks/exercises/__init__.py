"""The exercises of the course, which check themselves, in English and in Korean.

`check` is what a lesson calls. Each other module here has the exercises of one lesson in a dict
`EXERCISES`, by name.
"""

from exercises import (
    activations,
    classics,
    compression,
    convolution,
    deep_networks,
    look_inside,
    mistakes,
    pooling,
    rates_and_transfer,
    sizes,
    training,
)
from exercises.kinds import Exercise

_MODULES = (
    convolution,
    sizes,
    pooling,
    activations,
    classics,
    deep_networks,
    training,
    rates_and_transfer,
    compression,
    look_inside,
    mistakes,
)
EXERCISES: dict[str, Exercise] = {}
for _module in _MODULES:
    EXERCISES |= _module.EXERCISES

_WORDS = {
    "en": ("Correct.", "Replace each ... by your answer, then run this cell again.", "Hint"),
    "ko": ("정답입니다.", "...을 답으로 바꾼 뒤 이 셀을 다시 실행하세요.", "힌트"),
}


def check(language: str, name: str, answer: object) -> None:
    """Print whether the answer to an exercise is right; if not, what is wrong, and a hint.

    Args:
        language: "en" or "ko".
        name: of the exercise.
        answer: whatever the learner has; nothing that is wrong with it raises.

    Raises:
        ValueError: there is no such exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"There is no exercise {name!r}. Received: check({name!r}, ...)")
    correct, unanswered, hint = _WORDS[language]
    exercise = EXERCISES[name]
    chosen = list(_WORDS).index(language)
    if answer is ...:
        print(f"✗ {unanswered}")
        return
    fault = exercise.fault(answer)
    if fault is None:
        print(f"✓ {correct}")
    else:
        print(f"✗ {fault[chosen]}\n  {hint}: {exercise.hint[chosen]}")
