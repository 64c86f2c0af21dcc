"""Quantisation-aware training."""

from kcnn.compress.qat.quantizing import (
    ENGINES,
    QuantizeAwareResult,
    check_quantize_aware,
    quantize_aware,
)

__all__ = ["ENGINES", "QuantizeAwareResult", "check_quantize_aware", "quantize_aware"]
