"""Quantization-aware training (QAT)."""

from kcnn.compress.qat.int8_training import (
    ENGINES,
    QuantizeAwareResult,
    check_quantize_aware,
    quantize_aware,
)

__all__ = ["ENGINES", "QuantizeAwareResult", "check_quantize_aware", "quantize_aware"]
