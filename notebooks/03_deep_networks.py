# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Deep networks
#
# More layers see further and say more. For twenty years they also refused to learn. This notebook
# is about what was in the way, and how it was removed.
#
# **What you will see**
#
# * VGG, the plain idea carried to its end, and what it costs;
# * degradation: a deeper network that is worse on its own training images;
# * residual links, which cure it;
# * why the size of the first random weights decides whether anything is learned;
# * four optimisers on the same network.
#
# The long trainings were done beforehand by recipes: `kcnn run compare_depth` and its relatives,
# 9 to 17 minutes each on two cores. What is read here are the results that they left in
# `saved_models/`. The short experiments run before your eyes.

# %%
import json
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kcnn
from kcnn.models import facts

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")


def outcomes(name):
    file = Path(f"../saved_models/{name}/results.json")
    return json.loads(file.read_text())["outcomes"]


def percent(share):
    return round(100 * share, 1)


def minutes(name):
    return sum(sum(each["history"].get("seconds", [0])) for each in outcomes(name)) / 60


trained = [minutes(f"compare_{each}") for each in ("depth", "initializers", "optimizers")]
assert (round(min(trained)), round(max(trained))) == (9, 17)


# %% [markdown]
# ## VGG: nothing but 3x3
#
# The first notebook found that two windows of 3x3 see as far as one of 5x5, with fewer weights.
# Simonyan and Zisserman drew the conclusion in 2014: five blocks of such convolutions, each block
# at half the resolution and (but for the last) twice the channels of the one before. Nothing else.

# %%
known = facts.read()
for name in ("vgg11", "vgg16", "vgg19", "resnet20", "resnet56"):
    fact = known[name]
    print(f"{name:9} {fact.parameters:>12,} parameters {fact.macs / 1e6:>7.1f} million products")

# %% [markdown]
# VGG-16 for CIFAR-10 has 14.7 million parameters and multiplies 313 million times for one small
# image. ResNet-20, further down, has 54 times fewer parameters. Where do they all sit? Channels
# double as the maps shrink, and weights grow with the product of the channels on both sides:

# %%
vgg, resnet = known["vgg16"], known["resnet20"]
assert round(vgg.parameters / 1e6, 1) == 14.7 and round(vgg.macs / 1e6) == 313
assert round(vgg.parameters / resnet.parameters) == 54

model = kcnn.models.vgg16()
convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
weights = [layer.count_params() for layer in convolutions]
products = [
    layer.kernel.shape.num_elements() * layer.output.shape[1] * layer.output.shape[2]
    for layer in convolutions
]

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for cell, values, title in zip(axes, (weights, products), ("weights", "products"), strict=True):
    cell.bar(range(1, len(values) + 1), np.array(values) / 1e6, color=COLOURS[0])
    cell.set_title(f"{title} (millions)", fontsize=10)
    cell.set_xlabel("convolution")
plt.show()

# %% [markdown]
# The weights are at the end: six of the thirteen convolutions hold 88 % of them. The work is spread
# over all but the first. If your phone has no room, look right; if it is slow, look everywhere.

# %%
assert len(convolutions) == 13
assert np.isclose(sum(weights[-6:]) / sum(weights), 0.88, atol=0.005)

# %% [markdown]
# ## Degradation
#
# So let us go on: 20 layers, 56 layers. A deeper network contains the shallower one, as it were:
# let the additional layers pass on what they get, and it answers the same. It can only be better.
# The recipe `compare_depth` tried, on 9,000 photographs, 10 epochs each:

# %%
depth = {each["variant"]: each for each in outcomes("compare_depth")}


def draw(axes, courses, metric, title, scale=1.0):
    for (name, course), colour, style in zip(
        courses.items(), COLOURS, ("o-", "s-", "^--", "v--", "D-"), strict=False
    ):
        values = scale * np.array(course["history"].get(metric, ()))
        axes.plot(np.arange(1, len(values) + 1), values, style, ms=3, color=colour, label=name)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)


figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained", sharey=True)
draw(axes[0], depth, "accuracy", "training images (%)", 100)
draw(axes[1], depth, "val_accuracy", "validation images (%)", 100)
axes[0].legend(frameon=False, fontsize=9)
plt.show()
assert {len(each["history"]["accuracy"]) for each in depth.values()} == {10}

# %% [markdown]
# Look at the plain networks first. With 20 layers 52.0 % of the **training** images are told right
# in the end, with 56 layers 30.4 %. That is no overfitting, for it happens on the very images that
# are learned. The better network exists among the deeper ones' settings; gradient descent does not
# find it. He and his co-authors called this *degradation*.
#
# Now the other two. They have the same layers and the same number of parameters, and one more line
# of code. There depth helps: 63.6 % with 20 layers, 67.0 % with 56, and 62.2 and 65.1 % of the
# test images.

# %%
reached = {name: percent(each["history"]["accuracy"][-1]) for name, each in depth.items()}
assert reached == {"plain 20": 52.0, "plain 56": 30.4, "ResNet-20": 63.6, "ResNet-56": 67.0}
assert percent(depth["ResNet-20"]["test_accuracy"]) == 62.2
assert percent(depth["ResNet-56"]["test_accuracy"]) == 65.1
assert all(each["train_images"] == 9_000 for each in depth.values())
assert all(
    depth[f"plain {layers}"]["parameters"] == depth[f"ResNet-{layers}"]["parameters"]
    for layers in (20, 56)
)

# %% [markdown]
# ## The cure: add the input
#
# Let $F$ be two convolutions. A plain network computes $F(x)$, a residual unit $x + F(x)$. To pass
# on its input the plain unit must *learn* the identity, number by number. The residual unit gets it
# for nothing: with all weights zero it is already there, and only the difference is to be learned.

# %%
image = keras.Input((8, 8, 4))
conv = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros")
plain = keras.Model(image, conv(image))
residual = keras.Model(image, keras.layers.Add()([image, conv(image)]))

x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
assert np.array_equal(residual(x), x)  # the identity
assert not np.any(plain(x))  # nothing is left

# %% [markdown]
# What does it change for learning? Take the untrained 56-layer networks, narrow ones, send a few
# photographs through, and ask each convolution how long its gradient is in proportion to its
# weights. As one learning rate serves all layers, these lengths should be of one order.


# %%
def gradient_lengths(shortcut):
    keras.utils.set_random_seed(0)
    model = kcnn.models.resnet56(shortcut=shortcut, width=4)
    kernels = [w.value for w in model.trainable_weights if len(w.shape) == 4]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        value = loss(photographs["labels"], model(photographs["images"], training=True))
    gradients = tape.gradient(value, kernels)
    return [float(tf.norm(g) / tf.norm(w)) for g, w in zip(gradients, kernels, strict=True)]


photographs = np.load("data/cifar10_test.npz")
plain_lengths, residual_lengths = gradient_lengths("none"), gradient_lengths("A")
assert len(plain_lengths) == len(residual_lengths) == 56 - 1  # the last layer is dense

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogy(plain_lengths, color=COLOURS[1], label="plain, 56 layers")
axes.semilogy(residual_lengths, "--", color=COLOURS[0], label="with residual links")
axes.set_xlabel("convolution, from the image to the answer")
axes.set_ylabel("gradient / weights")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# In the plain network the first layers want steps more than 1,000 times as large as the last ones:
# any rate is far too high for the one end or far too low for the other. With the links, which
# carry the gradient past all units, the whole network stays within a factor of 100.

# %%
spread = {
    "plain": max(plain_lengths) / min(plain_lengths),
    "residual": max(residual_lengths) / min(residual_lengths),
}
print({name: f"{value:,.0f}" for name, value in spread.items()})
assert spread["plain"] > 1_000
assert spread["residual"] < 100

# %% [markdown]
# ## The first random weights
#
# Batch norm rescales every layer's output and so forgives careless weights. Before it there was
# only one way to keep a signal alive through many layers: start with weights of the right size.
#
# ReLU sets half of a symmetric signal to zero and with it half of its mean square. So the weights
# must double it. With $n$ inputs that means a variance of $2/n$: He's initialisation. Glorot's,
# made for tanh, has half of that (where a layer has as many outputs as inputs), and so each layer
# divides the signal by $\sqrt 2$. Sixteen layers of 256 units, nothing else:

# %%
INITIALISERS = {
    "He": keras.initializers.HeNormal(seed=0),
    "Glorot": keras.initializers.GlorotNormal(seed=0),
    "normal(0, 0.01)": keras.initializers.RandomNormal(stddev=0.01, seed=0),
    "normal(0, 1)": keras.initializers.RandomNormal(stddev=1.0, seed=0),
}


def signal_sizes(initialiser, layers=16, units=256):
    signal = np.random.default_rng(0).normal(size=(512, units)).astype("float32")
    sizes = []
    for layer in range(layers + 1):
        sizes.append(np.sqrt((signal.astype("float64") ** 2).mean()))
        initialiser = type(initialiser).from_config(initialiser.get_config() | {"seed": layer})
        signal = np.maximum(signal @ np.asarray(initialiser((units, units))), 0)
    return np.array(sizes)


sizes = {name: signal_sizes(initialiser) for name, initialiser in INITIALISERS.items()}
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for (name, values), colour in zip(sizes.items(), COLOURS, strict=False):
    axes.semilogy(values, "o-", ms=3, color=colour, label=name)
axes.set_xlabel("layers passed")
axes.set_ylabel("size of the signal")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# He's weights keep the size within a factor of 2. Glorot's lose a factor of 256 over sixteen
# layers, as calculated. Weights of one size for all layers are hopeless: at 0.01 the signal sinks
# below a millionth of a millionth, at 1 it explodes as fast.

# %%
change = {name: values[-1] / values[0] for name, values in sizes.items()}
assert len(sizes["He"]) - 1 == 16
assert 1 / 2 < change["He"] < 2
assert np.sqrt(2) ** 16 == 256 or np.isclose(np.sqrt(2) ** 16, 256)
assert 1 / 2 < change["Glorot"] * 256 < 2
assert INITIALISERS["normal(0, 0.01)"].stddev == 0.01
assert change["normal(0, 0.01)"] < 1e-12
assert INITIALISERS["normal(0, 1)"].stddev == 1
assert change["normal(0, 1)"] > 1e12

# %% [markdown]
# Does it matter for learning? `compare_initializers` trained a narrow VGG-16 without batch norm
# for six epochs, five times, and changed nothing but the first weights:

# %%
starts = {each["variant"]: each for each in outcomes("compare_initializers")}
learned = {name: each for name, each in starts.items() if not each["diverged"]}
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
draw(axes, learned, "val_accuracy", "validation images (%)", 100)
axes.axhline(10, color="0.6", linestyle=":", label="chance")
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# He's weights lead to 56.7 % of the test images, LeCun's to 52.0 %, Glorot's to 41.5 %. At 0.01
# nothing is learned at all: 10.0 % is what guessing gives, and the loss stays at 2.303, the
# logarithm of 10, from the first epoch to the last. At 1 the loss is no number after one epoch.

# %%
tested = {name: percent(each["test_accuracy"]) for name, each in learned.items()}
assert tested == {"He": 56.7, "Glorot": 41.5, "LeCun": 52.0, "normal(0, 0.01)": 10.0}
assert np.round(starts["normal(0, 0.01)"]["history"]["loss"], 3).tolist() == [2.303] * 6
assert np.isclose(np.log(10), 2.303, atol=1e-3)
assert starts["normal(0, 1)"]["diverged"] == 1

# %% [markdown]
# ## Optimisers
#
# Gradient descent has one trouble above all: long narrow valleys. Across the valley the ground is
# steep, and the step must be short; along it the ground is nearly flat, and the step should be
# long. Here is one whose slopes differ by a factor of 30, and three ways down, 60 steps each.
#
# * **SGD** takes the gradient as it is;
# * **momentum** sums up past gradients: what alternates cancels out, what persists adds up;
# * **Adam** divides each direction by the usual size of its gradient.

# %%
STEEPNESS = np.array([1.0, 30.0])


def descend(optimizer, steps=60):
    place = keras.Variable([-9.0, 2.5])
    path = [place.numpy()]
    optimizer.build([place])
    for _ in range(steps):
        gradient = STEEPNESS * place.numpy()
        optimizer.apply([tf.constant(gradient, "float32")], [place])
        path.append(place.numpy())
    return np.array(path)


paths = {
    "SGD": descend(keras.optimizers.SGD(0.03)),
    "momentum": descend(keras.optimizers.SGD(0.03, momentum=0.8)),
    "Adam": descend(keras.optimizers.Adam(0.5)),
}
across, along = np.meshgrid(np.linspace(-3, 3, 100), np.linspace(-10, 4, 100))
height = (STEEPNESS[0] * along**2 + STEEPNESS[1] * across**2) / 2

figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained", sharey=True)
for cell, (name, path), colour in zip(axes, paths.items(), COLOURS, strict=False):
    cell.contour(along, across, height, levels=np.geomspace(0.5, 150, 9), colors="0.8")
    cell.plot(*path.T, "o-", ms=2, linewidth=1, color=colour)
    cell.plot(0, 0, "k*", ms=9)
    cell.set_title(name, fontsize=10)
plt.show()

# %%
distance = {name: float(np.linalg.norm(path[-1])) for name, path in paths.items()}
print({name: round(value, 3) for name, value in distance.items()})
assert STEEPNESS[1] / STEEPNESS[0] == 30
assert all(len(path) == 60 + 1 for path in paths.values())
assert distance["momentum"] < distance["SGD"]

# %% [markdown]
# A network is no valley in two dimensions. `compare_optimizers` trained the simple CNN of the
# second notebook on all of CIFAR-10, for eight epochs, each optimiser at the rate that is usual for
# it, twice each:

# %%
trainings = outcomes("compare_optimizers")
names = list(dict.fromkeys(each["variant"] for each in trainings))
scores = {n: [each["test_accuracy"] for each in trainings if each["variant"] == n] for n in names}

figure, axes = plt.subplots(figsize=(6, 2.3), layout="constrained")
for row, values in enumerate(scores.values()):
    axes.plot(100 * np.array(values), [row] * len(values), "o", color=COLOURS[row])
axes.set_yticks(range(len(names)), names)
axes.invert_yaxis()
axes.set_xlabel("test accuracy (%), one point a training")
axes.set_xlim(60, 75)
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# SGD with momentum reaches 70.6 %, the three adaptive ones 64.9 to 65.3 %. The two trainings of
# each differ by less than half a point, so the order of SGD and the rest is no accident *of this
# experiment*. It is no law either: the rates were the usual ones, not each one's best, and eight
# epochs are few. What you may take home is that the default is not always the best, that you must
# say which rates you compared, and that one training is no evidence.

# %%
means = {name: percent(np.mean(values)) for name, values in scores.items()}
assert means == {"SGD, momentum 0.9": 70.6, "Adam": 64.9, "AdamW": 65.3, "RMSprop": 65.1}
assert all(len(values) == 2 and 100 * np.ptp(values) < 0.5 for values in scores.values())

# %% [markdown]
# ## Exercises
#
# 1. Change one line in `gradient_lengths` so that it measures `resnet20`. How does the spread of
#    the plain network grow with depth: in proportion, or faster?
# 2. Replace ReLU by tanh in `signal_sizes`. Which initialisation is right now?
# 3. Find for plain SGD the largest rate with which the path in the valley does not fly off. What
#    has it to do with the factor of 30?
# 4. `kcnn run compare_activations` asks the same of ReLU and its kin. Its results lie in
#    `saved_models/compare_activations/`: draw them with `draw`.
