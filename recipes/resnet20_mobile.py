"""ResNet-20 made small for a phone in five ways, side by side: bytes, speed, accuracy.

    kcnn run resnet20_mobile

It starts from the published ResNet-20. 80 % zeros make the download smaller, less than half of the
multiply-accumulates make the model faster, 16 values for each kernel make the download smaller
again, and training for int8 is compared with the same training in floats. Filters with the smallest
L1 norm are removed (Li et al., "Pruning Filters for Efficient ConvNets", arXiv:1608.08710). Pruned
and slim models are trained with the original model as their teacher.

Reached with seed 0 from the ResNet-20 of 89.95 % that was published first, all as int8: dense 89.94
%, 80 % zeros 89.16 %, 42 % of the multiply-accumulates 88.93 % at 1.6 times the speed, 80 % zeros
and 16 values for each kernel 88.85 %, trained for int8 89.67 %, and its control in floats 89.47 %.
(With a scale for each output of the dense layer, as kcnn wrote these files at first: 89.94, 89.12,
88.97, 88.85, 89.68 and 89.49 %.) It took 65 minutes on two cores of a Xeon at 2.5 GHz without AMX,
while some tests ran.
"""

from kcnn.cli import run_file
from kcnn.recipe import Cluster, Data, Model, Prune, QuantizeAware, Recipe, Slim

recipe = Recipe(
    data=Data(validation=0.02),
    model=Model(name="resnet20"),
    trained="resnet20",
    prune=Prune(sparsities=(0.8,), epochs=10, learning_rate=2e-3, distill=True),
    slim=Slim(macs=0.42, epochs=24, learning_rate=0.1, weight_decay=5e-3),
    cluster=Cluster(clusters=16, epochs=1),
    quantize_aware=QuantizeAware(epochs=1),
)

if __name__ == "__main__":
    run_file(__file__)
