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
# A convolution looks at an image through a small window and asks the same question everywhere.
# That is all; everything else in this course is built on it.
#
# **What you will see**
#
# * a convolution written in a few lines of NumPy, and an edge found with it;
# * stride, padding and dilation, and how large the output becomes;
# * how many weights sharing saves against a dense layer;
# * what happens to the output when the image moves, and to a classifier;
# * that nobody has to design the window: it can be learned.
#
# You need arrays and a little calculus. Nothing is downloaded, and a laptop is enough.

# %%
import json
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from kcnn.arithmetic import conv_parameters, model_arithmetic, output_size

# %% [markdown]
# ## A window that slides
#
# Lay a small array of weights, the *kernel*, on the upper left corner of the image. Multiply each
# weight with the pixel under it and add up: that is one number of the output. Move the kernel one
# pixel on and do it again.


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
# Our first kernel subtracts what is right from what is left. The image is bright on its left half,
# at a value of 10, dark in the middle, and a little brighter again, at 4, on the right.

# %%
edge = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])
image = np.zeros((7, 12))
image[:, :4] = 10
image[:, 8:] = 4
response = convolve(image, edge)


def show(axes, picture, title, colours="gray", limit=None):
    axes.imshow(picture, cmap=colours, vmin=None if limit is None else -limit, vmax=limit)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), width_ratios=[12, 4, 10], layout="constrained")
show(axes[0], image, "image")
show(axes[1], edge, "kernel", "RdBu_r", 1)
show(axes[2], response, "response: red +, blue −", "RdBu_r", 30)
for (row, column), value in np.ndenumerate(response):
    colour = "white" if value > 20 else "black"
    axes[2].text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)
plt.show()

# %% [markdown]
# The **sign** tells the direction. From bright to dark, read from left to right, the kernel answers
# with +30: three rows, each with a difference of 10. From dark to bright it answers with −12. Where
# nothing changes, left and right cancel and the answer is 0, however bright the place is.

# %%
assert image.max() == 10 and image[0, -1] == 4
assert response.max() == 30 == 3 * (10 - 0)
assert response.min() == -12 == 3 * (0 - 4)
assert (response[:, 4:6] == 0).all()
assert (convolve(image + 100, edge) == response).all()  # brightness alone changes nothing

# %% [markdown]
# The same kernel on a photograph, and its transpose, which sees horizontal edges. The photographs
# of this course are the first four test images of every class of CIFAR-10; they lie in `data/`.

# %%
photographs = np.load("data/cifar10_test.npz")
names = list(photographs["class_names"])
horse = photographs["images"][photographs["labels"] == names.index("horse")][1]
grey = horse.mean(axis=-1)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
show(axes[0], horse, "image")
show(axes[1], convolve(grey, edge), "vertical edges", "RdBu_r", 300)
show(axes[2], convolve(grey, edge.T), "horizontal edges", "RdBu_r", 300)
plt.show()

# %% [markdown]
# A word on words: mathematicians turn the kernel around before they slide it, and call what we do
# *cross-correlation*. Deep learning does not turn it and says convolution all the same. As the
# weights are learned it makes no difference, but be careful when you compare with `scipy`.
#
# Keras does exactly what our two loops do, faster, and for many kernels and channels at once:

# %%
layer = keras.layers.Conv2D(1, 3, use_bias=False)
layer.build((None, 32, 32, 1))
layer.set_weights([edge.reshape(3, 3, 1, 1).astype("float32")])
ours, keras_says = convolve(grey, edge), layer(grey[None, :, :, None])[0, :, :, 0]
assert np.allclose(ours, keras_says, atol=1e-3)

# %% [markdown]
# ## How large is the output?
#
# A kernel of 3x3 fits into 32x32 pixels at 30 places along each side, so a border is lost. Three
# settings change that count:
#
# * **padding**: how many zeros are put around the image first. Keras's `"same"` pads just enough
#   to keep the size, `"valid"` not at all;
# * **stride**: how far the window moves from one place to the next. A stride of 2 halves the
#   output;
# * **dilation**: how far apart the weights lie. Nine weights at a dilation of 2 span 5x5 pixels.
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
# Blue is where the window stands, dark blue where it has a weight, dots where it will stand next:


# %%
def draw_window(axes, title, stride=1, dilation=1, padding=0):
    size, span = 7 + 2 * padding, 2 * dilation + 1
    grid = np.zeros((size, size))
    grid[:span, :span] = 0.35
    grid[:span:dilation, :span:dilation] = 1
    axes.pcolormesh(grid, cmap="Blues", edgecolors="0.7", linewidth=0.5, vmax=1.3)
    middle = np.arange(span / 2, size - span / 2 + 0.1, stride)
    axes.plot(*(each.ravel() for each in np.meshgrid(middle, middle)), "o", color="#D55E00", ms=3)
    axes.add_patch(plt.Rectangle((padding, padding), 7, 7, fill=False, linewidth=2))
    axes.set_title(f"{title}\n{len(middle)} x {len(middle)} outputs", fontsize=9)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")
    return len(middle)


figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
assert draw_window(axes[0], "as it is") == output_size(7, 3)
assert draw_window(axes[1], "padding 1", padding=1) == output_size(7, 3, padding=1)
assert draw_window(axes[2], "stride 2", stride=2) == output_size(7, 3, stride=2)
assert draw_window(axes[3], "dilation 2", dilation=2) == output_size(7, 3, dilation=2)
plt.show()

# %% [markdown]
# ## Many channels, many kernels
#
# A colour image has three channels, so a kernel has three layers of 3x3 weights, and the products
# of all 27 are added up, with one bias. Each kernel makes one output channel, a *feature map*;
# 16 kernels make 16 maps. The layer has 448 parameters, whatever the image's size.
#
# A dense layer from the same pixels to as many outputs would connect each of 3,072 numbers with
# each of 16,384: more than 50 million weights, over 112,000 times as many.

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
# The saving has two sources, and both can be seen when a convolution is written as the dense layer
# that it is: a matrix from the 36 pixels of a 6x6 image to its 16 outputs. Most connections are
# **missing**, for a window sees only its surroundings: 144 of 576 remain. And those that remain are
# **shared**: the same 9 weights in every row, moved along.

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
figure.colorbar(shown, label="which of the nine weights", shrink=0.9)
plt.show()

# %% [markdown]
# ## Two small windows see as far as a large one
#
# A unit behind two convolutions of 3x3 sees 5x5 pixels: its *receptive field*. With 64 channels the
# two have 73,728 weights, one convolution of 5x5 has 102,400, and the two can bend the answer
# twice where the one bends it once. This is why networks grew deep instead of wide-eyed.

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
# The same question everywhere: so when the image moves, the answer moves along and is otherwise the
# same. Here the horse goes 3 pixels to the right.

# %%
shift = 3
moved = np.roll(grey, shift, axis=1)
before, after = convolve(grey, edge), convolve(moved, edge)
assert shift == 3
assert np.array_equal(after[:, shift:], before[:, :-shift])

figure, axes = plt.subplots(1, 4, figsize=(9, 2.4), layout="constrained")
show(axes[0], grey, "image")
show(axes[1], before, "response", "RdBu_r", 300)
show(axes[2], moved, "moved image")
show(axes[3], after, "moved response", "RdBu_r", 300)
plt.show()

# %% [markdown]
# A dense layer has nothing of that sort: to it, a moved image is another image. What this is worth
# has been measured. The recipe `mlp_vs_cnn` trained a perceptron and a small CNN on CIFAR-10 (two
# trainings each) and asked both about test images that were moved on black.

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
# The CNN is better to begin with, 64.9 % against 53.6 %. Two pixels cost the perceptron 23 points,
# the CNN 18. But look at the far end: at four pixels the CNN has fallen to 25.5 %. Its convolutions
# move along; the dense layer *behind* them, which reads the maps at fixed places, does not. The
# networks of the third notebook average every map over all places instead, for this reason too.

# %%
perceptron, cnn = accuracy["perceptron"], accuracy["simple CNN"]
assert round(100 * cnn[0], 1) == 64.9 and round(100 * perceptron[0], 1) == 53.6
assert round(100 * (perceptron[0] - perceptron[2])) == 23
assert round(100 * (cnn[0] - cnn[2])) == 18
assert round(100 * cnn[4], 1) == 25.5

# %% [markdown]
# ## The window can be learned
#
# We chose the edge kernel by hand. Suppose we only had examples: images, and what should come out.
# A convolution is differentiable in its weights, so start with random ones and go downhill. After a
# few passes over noise the layer has found our kernel, no weight off by more than 0.01.

# %%
keras.utils.set_random_seed(0)
noise = np.random.default_rng(0).normal(size=(256, 12, 12, 1)).astype("float32")
wanted = layer(noise)

pupil = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 3, use_bias=False)])
start = pupil.get_weights()[0].squeeze()
pupil.compile(optimizer=keras.optimizers.Adam(0.03), loss="mean_squared_error")
losses = pupil.fit(noise, wanted, epochs=30, batch_size=32, verbose=0).history["loss"]
learned = pupil.get_weights()[0].squeeze()
assert np.abs(learned - edge).max() < 0.01

figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), layout="constrained")
show(axes[0], start, "at the start", "RdBu_r", 1)
show(axes[1], learned, "learned", "RdBu_r", 1)
axes[2].semilogy(losses)
axes[2].set_title("loss by epoch", fontsize=10)
plt.show()

# %% [markdown]
# That is the whole idea of a CNN: leave the weights of thousands of such windows to gradient
# descent, and tell it only what the image shows. The next notebook does that.
#
# ## Exercises
#
# 1. Which kernel blurs an image? Which one leaves it as it is? Try both on the horse.
# 2. Predict the output size of a 7x7 kernel with stride 2 and padding 3 on 224x224 pixels. Check it
#    with `output_size`. (It is the first layer of the large ResNets.)
# 3. `np.roll` brings pixels that leave on the right back in on the left. Why does the assertion
#    about the moved response leave out its first columns?
# 4. In the last section make all training images constant, each of another grey. Which kernels does
#    the layer learn now, and why can it not find ours?
