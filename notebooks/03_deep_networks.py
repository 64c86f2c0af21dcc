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
# A deeper network sees larger parts of the image and can compute more. For twenty years, however,
# deep networks were hard to train. This notebook shows why, and what solved the problem.
#
# **What you will see**
#
# * VGG, a deep network of plain 3x3 convolutions, and what it costs;
# * degradation: a deeper network that is worse on its own training images;
# * residual connections, which solve that problem;
# * why the size of the initial weights decides whether a network learns anything;
# * four optimizers on the same network.
#
# The long trainings were done beforehand by recipes: `kcnn run compare_depth` and two similar ones
# took 9 to 17 minutes each on two cores. This notebook reads their results from `saved_models/`.
# The short experiments run here.

# %%
import json
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kcnn
from kcnn.models import facts

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")


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
# The first notebook showed that two 3x3 kernels see as far as one 5x5 kernel, with fewer weights.
# Simonyan and Zisserman built on this in 2014: their network has five blocks of such convolutions.
# Each block has half the resolution of the one before and, except for the last, twice its channels.

# %%
known = facts.read()
for name in ("vgg11", "vgg16", "vgg19", "resnet20", "resnet56"):
    fact = known[name]
    print(f"{name:9} {fact.parameters:>12,} parameters {fact.macs / 1e6:>7.1f} million MACs")

# %% [markdown]
# VGG-16 for CIFAR-10 has 14.7 million parameters and needs 313 million multiply-accumulates (MACs)
# for one small image. ResNet-20, which comes later, has 54 times fewer parameters. Where are they?
# The channels double as the maps shrink, and a layer's weights grow with the product of its input
# and output channels:

# %%
vgg, resnet = known["vgg16"], known["resnet20"]
assert round(vgg.parameters / 1e6, 1) == 14.7 and round(vgg.macs / 1e6) == 313
assert round(vgg.parameters / resnet.parameters) == 54

model = kcnn.models.vgg16()
layers = kcnn.arithmetic.model_arithmetic(model).layers
convolutions = [layer for layer in layers if layer.kind == "Conv2D"]
weights = [layer.parameters for layer in convolutions]
macs = [layer.macs for layer in convolutions]

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for cell, values, title in zip(axes, (weights, macs), ("weights", "MACs"), strict=True):
    cell.bar(range(1, len(values) + 1), np.array(values) / 1e6, color=COLORS[0])
    cell.set_title(f"{title} (millions)", fontsize=10)
    cell.set_xlabel("convolution")
plt.show()

# %% [markdown]
# Most weights are in the last layers: six of the thirteen convolutions have 88 % of them. The MACs
# are spread over all layers except the first. To make the file smaller, change the last layers; to
# make the network faster, change all of them.

# %%
assert len(convolutions) == 13
assert np.isclose(sum(weights[-6:]) / sum(weights), 0.88, atol=0.005)

# %% [markdown]
# ## Degradation
#
# Let us add layers: first 20, then 56. A deeper network can represent everything that a shallower
# one can: if the additional layers pass their input on, the output is the same. So it should not be
# worse. The recipe `compare_depth` tried it with 9,000 photographs, 10 epochs each:

# %%
depth = {each["variant"]: each for each in outcomes("compare_depth")}


def draw(axes, courses, metric, title, scale=1.0):
    for (name, course), color, style in zip(
        courses.items(), COLORS, ("o-", "s-", "^--", "v--", "D-"), strict=False
    ):
        values = scale * np.array(course["history"].get(metric, ()))
        axes.plot(np.arange(1, len(values) + 1), values, style, ms=3, color=color, label=name)
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
# Look at the plain networks first. After the training the one with 20 layers predicts 52.0 % of the
# **training** images correctly, the one with 56 layers only 30.4 %. This is not overfitting,
# because these are the images that the networks were trained on. Better weights exist for the
# deeper network, but gradient descent does not find them. He and his co-authors called this
# *degradation*.
#
# Now look at the other two. They have the same layers and the same number of parameters, and one
# more line of code. For them depth helps: 63.6 % with 20 layers and 67.0 % with 56. On the test
# images they reach 62.2 and 65.1 %.

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
# ## The solution: add the input
#
# Let $F$ be two convolutions. A plain network computes $F(x)$, a residual unit $x + F(x)$. To pass
# its input on, the plain unit must *learn* the identity. The residual unit computes the identity
# when all its weights are zero, and must learn only the difference from it.

# %%
image = keras.Input((8, 8, 4))
conv = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros")
plain = keras.Model(image, conv(image))
residual = keras.Model(image, keras.layers.Add()([image, conv(image)]))

x = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
assert np.array_equal(residual(x), x)  # the identity
assert not np.any(plain(x))  # nothing but zeros

# %% [markdown]
# How does this change the training? We take untrained, narrow networks of 56 layers, pass a few
# photographs through them, and compute for each convolution the norm of its gradient divided by the
# norm of its weights. All layers share one learning rate, so these ratios should be of similar
# size.


# %%
def gradient_lengths(shortcut):
    keras.utils.set_random_seed(0)
    model = kcnn.models.resnet56(shortcut=shortcut, width=4)
    kernels = [w.value for w in model.trainable_weights if len(w.shape) == 4]
    labels = photographs["labels"].astype("int32")
    with tf.GradientTape() as tape:
        logits = model(photographs["images"], training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, kernels)
    return [float(tf.norm(g) / tf.norm(w)) for g, w in zip(gradients, kernels, strict=True)]


photographs = np.load("data/cifar10_test.npz")
plain_lengths, residual_lengths = gradient_lengths("none"), gradient_lengths("A")
assert len(plain_lengths) == len(residual_lengths) == 56 - 1  # the last layer is dense

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogy(plain_lengths, color=COLORS[1], label="plain, 56 layers")
axes.semilogy(residual_lengths, "--", color=COLORS[0], label="with residual connections")
axes.set_xlabel("convolution, from the input to the output")
axes.set_ylabel("gradient / weights")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# In the plain network this ratio is more than 1,000 times as large in the first layers as in the
# last ones: every learning rate is far too high for the former or far too low for the latter. The
# residual connections carry the gradient past all units, and the ratios stay within a factor of
# 100.

# %%
spread = {
    "plain": max(plain_lengths) / min(plain_lengths),
    "residual": max(residual_lengths) / min(residual_lengths),
}
print({name: f"{value:,.0f}" for name, value in spread.items()})
assert spread["plain"] > 1_000
assert spread["residual"] < 100

# %% [markdown]
# ## The initial weights
#
# Batch norm rescales the output of every layer, so it hardly matters how large the initial weights
# are. Without batch norm, the weights must have the right size, or the signal vanishes or explodes
# on its way through many layers.
#
# ReLU sets half of a symmetric signal to zero, which halves its mean square. The weights must make
# up for that. With $n$ inputs this requires a variance of $2/n$: He's initialization. Glorot's
# initialization, made for tanh, has half of that variance (if a layer has as many outputs as
# inputs), so each layer divides the signal by $\sqrt 2$. Here are sixteen layers of 256 units,
# and nothing else:

# %%
INITIALIZERS = {
    "He": keras.initializers.HeNormal(seed=0),
    "Glorot": keras.initializers.GlorotNormal(seed=0),
    "normal(0, 0.01)": keras.initializers.RandomNormal(stddev=0.01, seed=0),
    "normal(0, 1)": keras.initializers.RandomNormal(stddev=1.0, seed=0),
}


def signal_sizes(initializer, layers=16, units=256):
    signal = np.random.default_rng(0).normal(size=(512, units)).astype("float32")
    sizes = []
    for layer in range(layers + 1):
        sizes.append(np.sqrt((signal.astype("float64") ** 2).mean()))
        initializer = type(initializer).from_config(initializer.get_config() | {"seed": layer})
        signal = np.maximum(signal @ np.asarray(initializer((units, units))), 0)
    return np.array(sizes)


sizes = {name: signal_sizes(initializer) for name, initializer in INITIALIZERS.items()}
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for (name, values), color in zip(sizes.items(), COLORS, strict=False):
    axes.semilogy(values, "o-", ms=3, color=color, label=name)
axes.set_xlabel("layer")
axes.set_ylabel("RMS of the signal")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# With He's weights the signal stays within a factor of 2. With Glorot's it loses a factor of 256
# over sixteen layers, as calculated. A fixed standard deviation does not work: with 0.01 the signal
# falls below a millionth of a millionth of its size, and with 1 it grows as fast.

# %%
change = {name: values[-1] / values[0] for name, values in sizes.items()}
assert len(sizes["He"]) - 1 == 16
assert 1 / 2 < change["He"] < 2
assert np.sqrt(2) ** 16 == 256 or np.isclose(np.sqrt(2) ** 16, 256)
assert 1 / 2 < change["Glorot"] * 256 < 2
assert INITIALIZERS["normal(0, 0.01)"].stddev == 0.01
assert change["normal(0, 0.01)"] < 1e-12
assert INITIALIZERS["normal(0, 1)"].stddev == 1
assert change["normal(0, 1)"] > 1e12

# %% [markdown]
# Does it matter for the training? `compare_initializers` trained a narrow VGG-16 without batch norm
# five times, for six epochs each. Only the initial weights were different:

# %%
starts = {each["variant"]: each for each in outcomes("compare_initializers")}
learned = {name: each for name, each in starts.items() if not each["diverged"]}
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
draw(axes, learned, "val_accuracy", "validation images (%)", 100)
axes.axhline(10, color="0.6", linestyle=":", label="chance")
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The test accuracy is 56.7 % with He's weights, 52.0 % with LeCun's and 41.5 % with Glorot's. With
# 0.01 the network learns nothing: 10.0 % is the accuracy of guessing, and from the first epoch to
# the last the loss is 2.303, the logarithm of 10. With 1 the loss is not a number after one epoch.

# %%
tested = {name: percent(each["test_accuracy"]) for name, each in learned.items()}
assert tested == {"He": 56.7, "Glorot": 41.5, "LeCun": 52.0, "normal(0, 0.01)": 10.0}
assert np.round(starts["normal(0, 0.01)"]["history"]["loss"], 3).tolist() == [2.303] * 6
assert np.isclose(np.log(10), 2.303, atol=1e-3)
assert starts["normal(0, 1)"]["diverged"] == 1

# %% [markdown]
# ## Optimizers
#
# Gradient descent has difficulties with long, narrow valleys. Across the valley the slope is steep,
# so the steps must be short; along the valley it is nearly flat, so the steps should be long. In
# this valley the curvatures differ by a factor of 30. Three optimizers take 60 steps each:
#
# * **SGD** follows the gradient;
# * **momentum** sums up past gradients: those that alternate cancel out, those that persist add up;
# * **Adam** divides each component of the gradient by its usual size.

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
for cell, (name, path), color in zip(axes, paths.items(), COLORS, strict=False):
    cell.contour(along, across, height, levels=np.geomspace(0.5, 150, 9), colors="0.8")
    cell.plot(*path.T, "o-", ms=2, linewidth=1, color=color)
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
# The loss of a network is not a valley in two dimensions. `compare_optimizers` trained the simple
# CNN of the second notebook on all of CIFAR-10 for eight epochs, twice with each optimizer, at the
# learning rate that is usual for it:

# %%
trainings = outcomes("compare_optimizers")
names = list(dict.fromkeys(each["variant"] for each in trainings))
scores = {n: [each["test_accuracy"] for each in trainings if each["variant"] == n] for n in names}

figure, axes = plt.subplots(figsize=(6, 2.3), layout="constrained")
for row, values in enumerate(scores.values()):
    axes.plot(100 * np.array(values), [row] * len(values), "o", color=COLORS[row])
axes.set_yticks(range(len(names)), names)
axes.invert_yaxis()
axes.set_xlabel("test accuracy (%), one point for each training")
axes.set_xlim(60, 75)
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# SGD with momentum reaches 70.6 %, the three adaptive optimizers 64.9 to 65.3 %. The two trainings
# of each optimizer differ by less than half a point, so within *this experiment* the lead of SGD is
# not chance. It is not a general law: the learning rates were the usual ones, not the best for each
# optimizer, and eight epochs are few. The lesson is that the default is not always the best, that
# you must say which learning rates you compared, and that one training is not evidence.

# %%
means = {name: percent(np.mean(values)) for name, values in scores.items()}
assert means == {"SGD, momentum 0.9": 70.6, "Adam": 64.9, "AdamW": 65.3, "RMSprop": 65.1}
assert all(len(values) == 2 and 100 * np.ptp(values) < 0.5 for values in scores.values())

# %% [markdown]
# ## Exercises
#
# 1. Change one line in `gradient_lengths` so that it measures `resnet20`. How does the spread of
#    the plain network grow with depth: in proportion, or faster?
# 2. Replace ReLU by tanh in `signal_sizes`. Which initialization is right now?
# 3. Find the largest learning rate with which plain SGD does not diverge in the valley. How is it
#    related to the factor of 30?
# 4. `kcnn run compare_activations` compares ReLU with similar functions. Plot its results in
#    `saved_models/compare_activations/` with `draw`.
