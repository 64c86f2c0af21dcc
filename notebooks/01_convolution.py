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
# # 1. Convolution
#
# A convolution looks at an image through a small window and computes the same function of what it
# sees at every place. Everything else in this course is built on that.
#
# **What you will see**
#
# * a convolution in a few lines of NumPy, and an edge that it finds;
# * stride, padding and dilation, and the size of the output;
# * how many weights a convolution saves compared with a dense layer;
# * what happens to its output, and to a classifier, when the image moves;
# * that the weights of the window can be learned.
#
# You need to know arrays and a little calculus. Nothing is downloaded, and a laptop is enough.

# %%
import json
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from kcnn.arithmetic import conv_parameters, model_arithmetic, output_size

SILENT: Any = 0  # for `verbose`: no progress bar

# %% [markdown]
# ## A sliding window
#
# Place a small array of weights, the *kernel*, on the upper left corner of the image. Multiply each
# weight by the pixel under it and add the products: that is one number of the output. Move the
# kernel by one pixel and repeat.


# %%
def convolve(image, kernel):
    size = len(kernel)
    rows, columns = image.shape[0] - size + 1, image.shape[1] - size + 1
    output = np.empty((rows, columns))
    for row in range(rows):
        for column in range(columns):
            window = image[row : row + size, column : column + size]
            output[row, column] = (window * kernel).sum()
    return output


# %% [markdown]
# Our first kernel subtracts the pixels on its right from the pixels on its left. The image is
# bright on the left, with a value of 10, dark in the middle, and a little brighter on the right,
# with a value of 4.

# %%
edge = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])
image = np.zeros((7, 12))
image[:, :4] = 10
image[:, 8:] = 4
response = convolve(image, edge)


def show(axes, picture, title, cmap="gray", limit=None):
    axes.imshow(picture, cmap=cmap, vmin=None if limit is None else -limit, vmax=limit)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), width_ratios=[12, 4, 10], layout="constrained")
show(axes[0], image, "image")
show(axes[1], edge, "kernel", "RdBu_r", 1)
show(axes[2], response, "response: red +, blue −", "RdBu_r", 30)
for (row, column), value in np.ndenumerate(response):
    color = "white" if value > 20 else "black"
    axes[2].text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=color)
plt.show()

# %% [markdown]
# The **sign** shows the direction of the edge. From left to right, the response to a step from
# bright to dark is +30: three rows, each with a difference of 10. The response to the step from
# dark to bright is −12. Where nothing changes, left and right cancel and the response is 0, however
# bright the place is.

# %%
assert image.max() == 10 and image[0, -1] == 4
assert response.max() == 30 == 3 * (10 - 0)
assert response.min() == -12 == 3 * (0 - 4)
assert (response[:, 4:6] == 0).all()
assert (convolve(image + 100, edge) == response).all()  # more brightness changes nothing

# %% [markdown]
# Here is the same kernel on a photograph, and its transpose, which finds horizontal edges. The
# photographs of this course, in `data/`, are the first four test images of each class of CIFAR-10.

# %%
photographs = np.load("data/cifar10_test.npz")
names = list(photographs["class_names"])
horse = photographs["images"][photographs["labels"] == names.index("horse")][1]
gray = horse.mean(axis=-1)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
show(axes[0], horse, "image")
show(axes[1], convolve(gray, edge), "vertical edges", "RdBu_r", 300)
show(axes[2], convolve(gray, edge.T), "horizontal edges", "RdBu_r", 300)
plt.show()

# %% [markdown]
# A note on terms: mathematicians flip the kernel before they slide it, and call what we do
# *cross-correlation*. Deep learning does not flip it and still calls it convolution. It makes no
# difference for weights that are learned, but remember it when you compare with `scipy`.
#
# Keras computes exactly what our two loops do, but faster, and for many kernels and channels:

# %%
layer = keras.layers.Conv2D(1, 3, use_bias=False)
layer.build((None, 32, 32, 1))
layer.set_weights([edge.reshape(3, 3, 1, 1).astype("float32")])
by_loops, by_keras = convolve(gray, edge), layer(gray[None, :, :, None])[0, :, :, 0]
assert np.allclose(by_loops, by_keras, atol=1e-3)

# %% [markdown]
# ## How large is the output?
#
# A 3x3 kernel fits into 32x32 pixels at 30 positions along each side, so the output loses a border.
# Three settings change its size:
#
# * **padding**: how many zeros are added around the image first. In Keras, `"same"` adds just
#   enough to keep the size, and `"valid"` adds none;
# * **stride**: how far the window moves from one position to the next. A stride of 2 halves the
#   output;
# * **dilation**: the distance between the weights. Nine weights with a dilation of 2 span 5x5
#   pixels.
#
# With input size $n$, kernel $k$, padding $p$ on each side, stride $s$ and dilation $d$:
#
# $$\text{output} = \left\lfloor \frac{n + 2p - d(k - 1) - 1}{s} \right\rfloor + 1$$

# %%
settings = [
    {"padding": "valid"},
    {"padding": "same"},
    {"padding": "valid", "stride": 2},
    {"padding": "same", "stride": 2},
    {"padding": "valid", "dilation": 2},
]
for setting in settings:
    size = output_size(32, 3, **setting)
    keras_layer = keras.layers.Conv2D(
        1,
        3,
        padding=setting["padding"],
        strides=setting.get("stride", 1),
        dilation_rate=setting.get("dilation", 1),
    )
    assert keras_layer.compute_output_shape((None, 32, 32, 1)) == (None, size, size, 1)
    print(f"{setting!s:40} 32 -> {size}")

assert output_size(32, 3) == 30
assert output_size(32, 3, padding="same") == 32 == 2 * output_size(32, 3, padding="same", stride=2)
assert output_size(32, 3, dilation=2) == output_size(32, 5) == 28  # it spans 5 pixels

# %% [markdown]
# Blue marks the window, dark blue its weights, and the dots all positions of its center:


# %%
def draw_window(axes, title, stride=1, dilation=1, padding=0):
    size, span = 7 + 2 * padding, 2 * dilation + 1
    grid = np.zeros((size, size))
    grid[:span, :span] = 0.35
    grid[:span:dilation, :span:dilation] = 1
    axes.pcolormesh(grid, cmap="Blues", edgecolors="0.7", linewidth=0.5, vmax=1.3)
    middle = np.arange(span / 2, size - span / 2 + 0.1, stride)
    axes.plot(*(each.ravel() for each in np.meshgrid(middle, middle)), "o", color="#D55E00", ms=3)
    axes.add_patch(Rectangle((padding, padding), 7, 7, fill=False, linewidth=2))
    axes.set_title(f"{title}\n{len(middle)} x {len(middle)} outputs", fontsize=9)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")
    return len(middle)


figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
assert draw_window(axes[0], "default") == output_size(7, 3)
assert draw_window(axes[1], "padding 1", padding=1) == output_size(7, 3, padding=1)
assert draw_window(axes[2], "stride 2", stride=2) == output_size(7, 3, stride=2)
assert draw_window(axes[3], "dilation 2", dilation=2) == output_size(7, 3, dilation=2)
plt.show()

# %% [markdown]
# ## Many channels, many kernels
#
# A color image has three channels, so a kernel has three layers of 3x3 weights. All 27 products and
# one bias are added. Each kernel makes one output channel, a *feature map*; 16 kernels make 16
# maps. The layer has 448 parameters for an image of any size.
#
# A dense layer with the same inputs and outputs would connect each of 3,072 numbers with each of
# 16,384: more than 50 million weights, over 112,000 times as many.

# %%
conv = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(16, 3, padding="same")])
inputs, outputs = 32 * 32 * 3, 32 * 32 * 16
dense_parameters = inputs * outputs + outputs

assert 3 * 3 * 3 == 27
assert conv.count_params() == conv_parameters(3, 16, 3) == 16 * (27 + 1) == 448
assert (inputs, outputs) == (3_072, 16_384)
assert dense_parameters == 50_348_032 > 50 * 10**6
assert dense_parameters // 448 > 112_000
print(f"convolution {conv.count_params():,}, dense {dense_parameters:,}")

# %% [markdown]
# The saving has two sources. Both are visible when a convolution is written as a dense layer: as a
# matrix from the 36 pixels of a 6x6 image to the 16 outputs. Most connections are **missing**,
# because a window sees only a few pixels: 144 of 576 remain. The remaining ones are **shared**:
# each row has the same 9 weights, shifted.

# %%
kernel = np.arange(1.0, 10.0).reshape(3, 3)
pixels = np.eye(36).reshape(36, 6, 6)
matrix = np.stack([convolve(pixel, kernel).ravel() for pixel in pixels], axis=1)

some_image = np.random.default_rng(0).normal(size=(6, 6))
assert np.allclose(matrix @ some_image.ravel(), convolve(some_image, kernel).ravel())
assert matrix.shape == (16, 36)
assert matrix.size == 576 and np.count_nonzero(matrix) == 144
assert len(np.unique(matrix[matrix != 0])) == 9

figure, axes = plt.subplots(figsize=(6.4, 2.9), layout="constrained")
shown = axes.imshow(np.where(matrix == 0, np.nan, matrix), cmap="viridis")
axes.set_xlabel("pixel")
axes.set_ylabel("output")
figure.colorbar(shown, label="index of the weight", shrink=0.9)
plt.show()

# %% [markdown]
# ## Two small windows see as far as a large one
#
# A unit after two 3x3 convolutions sees 5x5 pixels: its *receptive field*. With 64 channels the two
# convolutions have 73,728 weights, while one 5x5 convolution has 102,400. The two also apply a
# nonlinearity twice instead of once. This is why networks became deeper rather than their kernels
# larger.

# %%
two = keras.Sequential(
    [
        keras.Input((32, 32, 64)),
        keras.layers.Conv2D(64, 3, padding="same", use_bias=False, activation="relu"),
        keras.layers.Conv2D(64, 3, padding="same", use_bias=False, activation="relu"),
    ]
)
assert model_arithmetic(two).receptive_field == (5, 5)
assert two.count_params() == 73_728
assert conv_parameters(64, 64, 5, bias=False) == 102_400

# %% [markdown]
# ## When the image moves
#
# A convolution computes the same function everywhere. When the image moves, the output moves with
# it and is otherwise the same. Here the horse moves 3 pixels to the right.

# %%
shift = 3
moved = np.roll(gray, shift, axis=1)
before, after = convolve(gray, edge), convolve(moved, edge)
assert shift == 3
assert np.array_equal(after[:, shift:], before[:, :-shift])

figure, axes = plt.subplots(1, 4, figsize=(9, 2.4), layout="constrained")
show(axes[0], gray, "image")
show(axes[1], before, "response", "RdBu_r", 300)
show(axes[2], moved, "moved image")
show(axes[3], after, "moved response", "RdBu_r", 300)
plt.show()

# %% [markdown]
# A dense layer has no such property: for it, a moved image is a different image. The recipe
# `mlp_vs_cnn` measured what this is worth. It trained a perceptron and a small CNN on CIFAR-10,
# each of them in two trainings, and evaluated both on test images that were shifted on a black
# background.

# %%
results = json.loads(Path("../saved_models/mlp_vs_cnn/results.json").read_text())


def shifted_accuracy(variant, pixels):
    trainings = [each for each in results["outcomes"] if each["variant"] == variant]
    return np.mean([training["shifted"][str(pixels)] for training in trainings])


assert all(
    sum(each["variant"] == name for each in results["outcomes"]) == 2
    for name in ("perceptron", "simple CNN")
)
accuracy = {
    variant: [shifted_accuracy(variant, pixels) for pixels in range(5)]
    for variant in ("perceptron", "simple CNN")
}

figure, axes = plt.subplots(figsize=(5.5, 3), layout="constrained")
for (variant, values), style in zip(accuracy.items(), ("s--", "o-"), strict=True):
    axes.plot([100 * value for value in values], style, label=variant)
axes.set_xlabel("pixels to the right and down")
axes.set_ylabel("test accuracy (%)")
axes.set_xticks(range(5))
axes.set_ylim(0, 70)
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Without a shift the CNN reaches 64.9 % and the perceptron 53.6 %. A shift of two pixels costs the
# perceptron 23 points and the CNN 18. At four pixels, however, the CNN has fallen to 25.5 %. The
# outputs of its convolutions move with the image, but the dense layer *after* them reads the maps
# at fixed places. This is one reason why the networks of the third notebook average each map over
# all places instead.

# %%
perceptron, cnn = accuracy["perceptron"], accuracy["simple CNN"]
assert round(100 * cnn[0], 1) == 64.9 and round(100 * perceptron[0], 1) == 53.6
assert round(100 * (perceptron[0] - perceptron[2])) == 23
assert round(100 * (cnn[0] - cnn[2])) == 18
assert round(100 * cnn[4], 1) == 25.5

# %% [markdown]
# ## The window can be learned
#
# We chose the edge kernel by hand. Suppose we had only examples: images and the outputs that we
# want. A convolution is differentiable with respect to its weights, so we can start with random
# weights and use gradient descent. After a few epochs on noise the layer has found our kernel, and
# no weight is off by more than 0.01.

# %%
keras.utils.set_random_seed(0)
noise = np.random.default_rng(0).normal(size=(256, 12, 12, 1)).astype("float32")
wanted = layer(noise)

learner = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 3, use_bias=False)])
start = learner.get_weights()[0].squeeze()
learner.compile(optimizer=keras.optimizers.Adam(0.03), loss="mean_squared_error")
losses = learner.fit(noise, wanted, epochs=30, batch_size=32, verbose=SILENT).history["loss"]
learned = learner.get_weights()[0].squeeze()
assert np.abs(learned - edge).max() < 0.01

figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), layout="constrained")
show(axes[0], start, "initial", "RdBu_r", 1)
show(axes[1], learned, "learned", "RdBu_r", 1)
axes[2].semilogy(losses)
axes[2].set_title("loss by epoch", fontsize=10)
plt.show()

# %% [markdown]
# This is the idea of a CNN: gradient descent finds the weights of thousands of such kernels, from
# nothing but images and their labels. The next notebook does that.
#
# ## Exercises
#
# 1. Which kernel blurs an image? Which one leaves it unchanged? Try both on the horse.
# 2. Predict the output size of a 7x7 kernel with stride 2 and padding 3 on 224x224 pixels. Check it
#    with `output_size`. (It is the first layer of the large ResNets.)
# 3. With `np.roll`, pixels that leave on the right come back on the left. Why does the assertion
#    about the moved response skip the first columns?
# 4. In the last section make all training images constant, each with a different gray. Which
#    kernels does the layer learn now, and why can it not find ours?
