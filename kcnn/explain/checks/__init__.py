"""Whether a heat map shows what the model sees: tests that an explanation can fail."""

from kcnn.explain.checks.result import Check
from kcnn.explain.checks.suite import check

__all__ = ["Check", "check"]
