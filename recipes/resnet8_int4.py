"""ResNet-8 of MLPerf Tiny on CIFAR-10 with kernels of 4 bits: half of the flash of the int8 file.

    kcnn run resnet8_int4

It starts from the published ResNet-8 and trains it further with kernels of 15 values, all but the
first and the last, while the float model is its teacher (Jacob et al., arXiv:1712.05877; Hinton et
al., arXiv:1503.02531). The control has the same training in floats and is rounded to 4 bits
afterwards.

Reached with seed 0 on the 10,000 test images: 88.60 % with 55,649 bytes, where int8 reaches 88.49 %
with 98,737 bytes. The control reaches 84.22 %, and a file of 4 bits without any further training
78.19 %. It took 10 minutes on two cores of an AMD EPYC (Zen 4).
"""

from kcnn.cli import run_file
from kcnn.recipe import Data, Model, Quantize, QuantizeAware, Recipe

recipe = Recipe(
    data=Data(batch_size=256, validation=0.02),
    model=Model(name="resnet8"),
    trained="resnet8_int8",
    prune=None,
    quantize=Quantize(samples=1000),
    quantize_aware=QuantizeAware(epochs=8, learning_rate=2e-3, weight_bits=4, distill=True),
)

if __name__ == "__main__":
    run_file(__file__)
