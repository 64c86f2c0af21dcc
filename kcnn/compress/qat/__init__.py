"""Quantisation-aware training."""

from kcnn.compress.qat.quantizing import ENGINES, QuantizeAwareResult, quantize_aware

__all__ = ["ENGINES", "QuantizeAwareResult", "quantize_aware"]
