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
# # 5. Look inside
#
# A network says "ship". Why? This notebook opens one and looks: at its filters, at what its layers
# make of a photograph, and at where in the photograph the answer comes from. Then it asks the more
# important question: when should you *not* believe such a picture?
#
# **What you will see**
#
# * the first filters, and the maps of every stage;
# * the class activation map, built from two arrays you can hold in your hand;
# * Grad-CAM, the same for any network, and why it needs the logits;
# * how a heat map misleads, and tests that find out.
#
# The network is the ResNet-20 of `saved_models/`, trained on CIFAR-10. The photographs are the
# first four test images of each class, chosen by nobody.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kcnn
from kcnn.models import facts

model = keras.models.load_model("../saved_models/resnet20/model.keras")
photographs = np.load("data/cifar10_test.npz")
images, labels = photographs["images"], photographs["labels"].astype(int)
names = photographs["class_names"].tolist()

logits = model.predict(images, verbose=0)
told = logits.argmax(axis=1)


def smaller(figure):
    figure.set_dpi(80)
    return figure


# %% [markdown]
# ## What it says
#
# Of the 40 photographs 35 are told right. Here are the five mistakes, and below them the first five
# that are right.

# %%
assert len(images) == 40 and (told == labels).sum() == 35

mistakes, right = np.flatnonzero(told != labels), np.flatnonzero(told == labels)
figure, axes = plt.subplots(2, 5, figsize=(7, 3.4), layout="constrained")
for cell, index in zip(axes.flat, [*mistakes, *right[:5]], strict=True):
    cell.imshow(images[index], interpolation="nearest")
    truth, answer = names[labels[index]], names[told[index]]
    cell.set_title(truth if truth == answer else f"{truth}, told {answer}", fontsize=8)
    cell.axis("off")
plt.show()

# %% [markdown]
# ## The first filters
#
# The first convolution has 16 filters of 3x3 pixels in three colours, so they can be drawn as what
# they are. Grey means zero. Some look for an edge, some for a colour against another. Nobody
# designed them: they are the descendants of the hand-made filter of the first notebook.

# %%
filters = kcnn.explain.filters(model)
assert filters.kernels.shape == (3, 3, 3, 16) and filters.is_rgb
smaller(filters.plot())

# %% [markdown]
# ## What every stage sees
#
# Here is one photograph after each of the three stages, eight channels of each. The maps shrink
# from 32x32 to 8x8, and their number grows from 16 to 64. The first ones are sharp and show edges;
# the last ones are a few coarse spots: no longer *what it looks like*, but *what is where*.

# %%
ship = 4 * names.index("ship") + 1
seen = kcnn.explain.feature_maps(model, images[[ship]])
shapes = [maps.shape[1:] for maps in seen.values()]
assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
smaller(seen.plot(channels=8))

# %% [markdown]
# ## The class activation map
#
# Behind the last stage, ResNet averages each of the 64 maps over all places, and one dense layer
# weighs the averages. Averaging and weighing can change places: weigh the maps first, and look at
# the result **before** you average. That picture says how much each place adds to the logit. With
# features $A_k$, weights $w_k$ and $n$ places:
#
# $$\text{logit} = \sum_k w_k \Big(\frac 1n \sum_{\text{places}} A_k\Big) + b
#   = \sum_{\text{places}} \underbrace{\frac 1n \sum_k w_k A_k}_{\text{the map}} + b$$

# %%
last = model.get_layer("stage3_block3_relu")
body = keras.Model(model.inputs, last.output)
features = body.predict(images, verbose=0)  # [40, 8, 8, 64]
weights, bias = model.get_layer("logits").get_weights()

places = features.shape[1] * features.shape[2]
maps = np.einsum("nhwk,kn->nhw", features, weights[:, told]) / places

assert features.shape[-1] == 64
assert np.allclose(maps.sum(axis=(1, 2)) + bias[told], logits.max(axis=1), atol=1e-3)

# %% [markdown]
# The last line is the proof: summed over all places, and with the bias, the map *is* the logit.
# Nothing is estimated. Places that speak against the class are negative; usually they are cut off.

# %%
shown = [ship, 4 * names.index("horse") + 1, 4 * names.index("frog"), 4 * names.index("truck")]
limit = np.abs(maps[shown]).max()
figure, axes = plt.subplots(2, 4, figsize=(8, 4.2), layout="constrained")
for column, index in enumerate(shown):
    axes[0, column].imshow(images[index])
    axes[0, column].set_title(f"{names[told[index]]}, logit {logits[index].max():.1f}", fontsize=9)
    drawn = axes[1, column].imshow(maps[index], cmap="RdBu_r", vmin=-limit, vmax=limit)
for cell in axes.flat:
    cell.axis("off")
figure.colorbar(drawn, ax=axes[1], label="share of the logit")
plt.show()

# %% [markdown]
# ## Grad-CAM
#
# Most networks do not end so simply. **Grad-CAM** asks in general: if a channel were a little
# stronger, how much would the logit grow? That is a gradient, averaged over the places. Here we
# know what must come out, because the logit depends on each feature by $w_k / n$:

# %%
head = keras.Model(last.output, model.output)


def gradients(squash):
    kept = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(kept)
        scores = tf.gather(squash(head(kept)), told, batch_dims=1)
    return tape.gradient(scores, kept).numpy()


slopes = gradients(tf.identity)
by_gradient = np.einsum("nhwk,nk->nhw", features, slopes.mean(axis=(1, 2)))
assert np.allclose(by_gradient, maps, atol=1e-5)

heatmaps = kcnn.grad_cam(model, images)
assert np.allclose(heatmaps.raw, np.maximum(maps, 0), atol=1e-5)
print(heatmaps.layer)

# %% [markdown]
# Ours, by hand and by gradient, and `kcnn.grad_cam`, all agree to five digits. The latter needs no
# layer's name and takes any Keras model. It draws, too:

# %%
some = [ship, *mistakes[:3]]
titles = [f"{names[told[index]]} (is {names[labels[index]]})" for index in some]
smaller(kcnn.grad_cam(model, images[some]).plot(images[some], titles))

# %% [markdown]
# ## Trap 1: after the softmax
#
# Many recipes take the gradient of the *probability*. But a network that is sure has a probability
# of nearly one, whatever you change: the gradient is nearly nothing, and what is left of it mixes
# all classes. For the photograph it is surest of, it is more than 1,000 times smaller than that of
# the logit. `kcnn` takes the logit, wherever the softmax hides.

# %%
surest = logits.max(axis=1).argmax()
after = gradients(tf.nn.softmax)
ratio = np.linalg.norm(slopes[surest]) / np.linalg.norm(after[surest])
print(f"{names[told[surest]]}: probability {tf.nn.softmax(logits[surest]).numpy().max():.6f}")
print(f"the gradient of the probability is {ratio:,.0f} times smaller")
assert ratio > 1_000

# %% [markdown]
# ## Trap 2: there is a map for every class
#
# Ask for "cat" on the ship and you get a map, too. As each map is drawn on its own scale, it glows
# just as bright. So look at the **logit** first, and at the strength of the map before it is
# scaled. The cat's strongest place has less than a third of the ship's. `class_index=(a, b)` asks
# the better question, *why a rather than b*.

# %%
asked = [names.index("ship"), names.index("cat")]
pair = np.stack([images[ship]] * 2)
both = kcnn.grad_cam(model, pair, class_index=asked)
peaks = both.raw.max(axis=(1, 2))
captions = [
    f"{names[k]}: logit {score:.1f}, peak {peak:.2f}"
    for k, score, peak in zip(asked, both.score, peaks, strict=True)
]
assert both.score[0] > both.score[1]
assert peaks[1] / peaks[0] < 1 / 3
smaller(both.plot(pair, captions))

# %% [markdown]
# ## Trap 3: a place is not a pixel
#
# The map has 8x8 places, stretched to 32x32 pixels for the picture: its smooth outline is the
# stretching's, not the network's. And a place sees far more than the 4x4 pixels that it covers:
# behind nineteen convolutions, its receptive field is 81 pixels wide, wider than the image. "The
# heat is on the bow" does not mean "it looked at the bow only".

# %%
assert images.shape[1] // features.shape[1] == 4
assert facts.read()["resnet20"].receptive_field == (81, 81)
assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 19

# %% [markdown]
# ## Does the map know the network at all?
#
# An edge detector also draws a plausible outline of a ship, and knows nothing of ships. So there
# are tests that a map has to pass, against a random map and one of plain edges:
#
# * **deletion, insertion**: grey out the hottest places first; the probability should fall quickly.
#   Or show them first; it should rise quickly;
# * **randomized weights**: replace the weights by random ones; the map must change, or it shows the
#   image, not the network;
# * **planted patch, mosaic**: paste a piece of another class, or tile four photographs; now the
#   right place is *known*.

# %%
check = kcnn.explain.check(model, images[::2], labels[::2])  # every other one, to be quick
print(check)

# %%
smaller(check.plot())

# %% [markdown]
# Read it as you would read a measurement, with its intervals, which are wide for so few images.
# Grad-CAM finds the planted patch and the right tile far more often than a random map, and it does
# forget what it knew when the weights are random. But in the deletion test it is within 0.15 of the
# random map, for greying out *any* part of an image disturbs a network. The maps are better than
# nothing, and less than proof.

# %%
for score in (check.insertion.score, check.planted_patch.peak, check.mosaic.peak):
    assert "random" in score.beats
assert check.randomization.score.estimates["own"].mean < 0.5
deletion = check.deletion.score.estimates
assert abs(deletion["own"].mean - deletion["random"].mean) < 0.15

# %% [markdown]
# ## After compression
#
# The fourth notebook put the network on a phone. Does it still look at the same places? The
# `.tflite` file ends in the same average and dense layer, so its map can be computed from the file
# itself.

# %%
forms = ("model_int8", "model_pruned_int8")
files = [f"../saved_models/resnet20/{form}.tflite" for form in forms]
moved = dict(zip(forms, kcnn.explain.drift(model, *files, images=images), strict=True))
for form, drift in moved.items():
    print(f"{form:18} correlation {drift.correlation}, peak moved by {drift.shift} pixels")

# %% [markdown]
# Eight bits leave the maps where they were: the correlation is above 0.99. Pruning moves them a
# little, though the accuracy hardly notices: what the answer rests on can change before the answer
# does.

# %%
assert moved["model_int8"].correlation.mean > 0.99
assert 0.9 < moved["model_pruned_int8"].correlation.mean < moved["model_int8"].correlation.mean

# %% [markdown]
# ## What to remember
#
# A heat map answers "where does the evidence for this class lie, as this layer sees it?". It does
# not answer "is the network right?", nor "would a change there change the answer?". Ask the
# network itself: change the image, and see.
#
# ## Exercises
#
# 1. Take one of the five mistakes and draw "why the wrong class rather than the right one" with
#    `class_index=(wrong, right)`. Then cover the hottest places with grey. Does it come to its
#    senses?
# 2. Compare `method="layercam"` at `layer="stage1_block3_relu"` with the default. Which one would
#    you show to a customer, and which one would you use to find a bug?
# 3. Photograph something yourself and run `kcnn explain ../saved_models/resnet20 photo.jpg`. It has
#    only ten words. What does it say about a face, and how sure is it?
# 4. `kcnn.explain.maximize(model, 8)` makes an image with a ship's logit far above any real ship's.
#    Would you call it a ship?
