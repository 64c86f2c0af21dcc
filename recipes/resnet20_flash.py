"""ResNet-20 in less than 160 kB of flash: eight values for each kernel, stored as tables.

    kcnn run resnet20_flash
    kcnn export runs/resnet20_flash/model_clustered_int8.tflite --compress

It starts from the published ResNet-20, whose weights are trained to share eight values in each
kernel (Han et al., "Deep Compression", arXiv:1510.00149), with the float model as their teacher.
The second command writes 3 bits for each weight and a table for each channel, which TensorFlow Lite
Micro's operator DECODE reads: 158,224 bytes of 307,521. Reached with seed 0: 91.60 % of the 10,000
test images as int8, 91.91 % in floats, where the network that it starts from has 93.33 %. It took 5
minutes on two cores of an AMD EPYC (Zen 4).
"""

from kcnn.cli import run_file
from kcnn.recipe import Cluster, Data, Model, Quantize, Recipe

recipe = Recipe(
    data=Data(validation=0.02),
    model=Model(name="resnet20"),
    trained="resnet20",
    prune=None,
    cluster=Cluster(clusters=8, epochs=3, learning_rate=5e-4, engine="keras", distill=True),
    quantize=Quantize(samples=1000),
)

if __name__ == "__main__":
    run_file(__file__)
