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
# A network predicts "ship". Why? This notebook looks inside one: at its filters, at what its layers
# compute for a photograph, and at the places in the photograph that lead to the prediction. Then it
# turns to the more important question: when should you *not* believe such a picture?
#
# **What you will see**
#
# * the first filters, and the feature maps of every stage;
# * the class activation map, computed from two arrays;
# * Grad-CAM, which does the same for any network, and why it needs the logits;
# * how a heat map can mislead, and tests that reveal it.
#
# The network is the ResNet-20 of `saved_models/`, trained on CIFAR-10. The photographs are the
# first four test images of each class, so nobody selected them.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

import kcnn
from kcnn.models import facts

model = kcnn.models.load("../saved_models/resnet20/model.keras")
photographs = np.load("data/cifar10_test.npz")
images, labels = photographs["images"], photographs["labels"].astype(int)
names = photographs["class_names"].tolist()

logits = np.asarray(model(images))
predicted = logits.argmax(axis=1)


def smaller(figure):
    figure.set_dpi(80)
    return figure


# %% [markdown]
# ## Its predictions
#
# Of the 40 photographs 35 are predicted correctly. Here are the five mistakes, and below them the
# first five correct predictions.

# %%
assert len(images) == 40 and (predicted == labels).sum() == 35

mistakes, right = np.flatnonzero(predicted != labels), np.flatnonzero(predicted == labels)
figure, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
for cell, index in zip(axes.flat, [*mistakes, *right[:5]], strict=True):
    cell.imshow(images[index], interpolation="nearest")
    truth, answer = names[labels[index]], names[predicted[index]]
    cell.set_title(truth if truth == answer else f"{truth}, predicted {answer}", fontsize=7)
    cell.axis("off")
plt.show()

# %% [markdown]
# ## The first filters
#
# The first convolution has 16 filters of 3x3 pixels in three colors, so they can be drawn as small
# images. Gray means zero. Some filters respond to an edge, some to the contrast of two colors.
# Nobody designed them: training found them, as it found the kernel of the first notebook.

# %%
filters = kcnn.explain.filters(model)
assert filters.kernels.shape == (3, 3, 3, 16) and filters.is_rgb
smaller(filters.plot())

# %% [markdown]
# ## What every stage sees
#
# Here are the feature maps of one photograph after each of the three stages, eight channels of
# each. The maps shrink from 32x32 to 8x8, and their number grows from 16 to 64. The first maps are
# sharp and show edges; the last ones show a few coarse spots: no longer *what it looks like*, but
# *what is where*.

# %%
ship = 4 * names.index("ship") + 1
seen = kcnn.explain.feature_maps(model, images[[ship]])
shapes = [maps.shape[1:] for maps in seen.values()]
assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
smaller(seen.plot(channels=8))

# %% [markdown]
# ## The class activation map
#
# After the last stage, ResNet averages each of the 64 maps over all places, and one dense layer
# computes a weighted sum of the averages. The order of the two steps does not matter: compute the
# weighted sum of the maps first, and look at it **before** you average. This map shows how much
# each place contributes to the logit. With features $A_k$, weights $w_k$ and $n$ places:
#
# $$\text{logit} = \sum_k w_k \Big(\frac 1n \sum_{\text{places}} A_k\Big) + b
#   = \sum_{\text{places}} \underbrace{\frac 1n \sum_k w_k A_k}_{\text{the map}} + b$$

# %%
last = model.get_layer("stage3_block3_relu")
body = keras.Model(model.inputs[0], last.output)
features = np.asarray(body(images))  # [40, 8, 8, 64]
weights, bias = model.get_layer("logits").get_weights()

places = features.shape[1] * features.shape[2]
maps = np.einsum("nhwk,kn->nhw", features, weights[:, predicted]) / places

assert features.shape[-1] == 64
assert np.allclose(maps.sum(axis=(1, 2)) + bias[predicted], logits.max(axis=1), atol=1e-3)

# %% [markdown]
# The last line is the proof: the sum of the map over all places, plus the bias, *is* the logit. The
# map is exact, not an estimate. Places that are evidence against the class are negative; most tools
# set them to zero.

# %%
shown = [ship, 4 * names.index("horse") + 1, 4 * names.index("frog"), 4 * names.index("truck")]
limit = np.abs(maps[shown]).max()
colors = ScalarMappable(Normalize(-limit, limit), "RdBu_r")
figure, axes = plt.subplots(2, 4, figsize=(8, 4.2), layout="constrained")
for column, index in enumerate(shown):
    title = f"{names[predicted[index]]}, logit {logits[index].max():.1f}"
    axes[0, column].imshow(images[index])
    axes[0, column].set_title(title, fontsize=9)
    axes[1, column].imshow(maps[index], cmap=colors.cmap, norm=colors.norm)
for cell in axes.flat:
    cell.axis("off")
figure.colorbar(colors, ax=axes[1], label="share of the logit")
plt.show()

# %% [markdown]
# ## Grad-CAM
#
# Most networks do not end in such a simple way. **Grad-CAM** works for all of them: it measures how
# much the logit grows if a channel becomes a little stronger. That is a gradient, averaged over the
# places. Here we know the result, because the gradient with respect to each feature is $w_k / n$:

# %%
head = keras.Model(last.output, model.output)


def gradients(activation):
    inputs = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        scores = tf.gather(activation(head(inputs)), predicted, batch_dims=1)
    return np.asarray(tape.gradient(scores, inputs))


slopes = gradients(tf.identity)
by_gradient = np.einsum("nhwk,nk->nhw", features, slopes.mean(axis=(1, 2)))
assert np.allclose(by_gradient, maps, atol=1e-5)

heatmaps = kcnn.grad_cam(model, images)
assert np.allclose(heatmaps.raw, np.maximum(maps, 0), atol=1e-5)
print(heatmaps.layer)

# %% [markdown]
# The map by hand, the map by gradients and `kcnn.grad_cam` agree to five digits. `kcnn.grad_cam`
# takes any Keras model, finds the layer itself, and draws the map:

# %%
some = [ship, *mistakes[:3]]
titles = [f"{names[predicted[index]]} (true: {names[labels[index]]})" for index in some]
smaller(kcnn.grad_cam(model, images[some]).plot(images[some], titles))

# %% [markdown]
# ## Trap 1: after the softmax
#
# Many tutorials use the gradient of the *probability*. But if a network is confident, its
# probability is close to one whatever you change: the gradient is nearly zero, and the rest of it
# mixes all classes. For the photograph with the highest logit, it is more than 1,000 times smaller
# than the gradient of the logit. `kcnn` uses the logit, also for models that end in a softmax.

# %%
confident = logits.max(axis=1).argmax()
after = gradients(tf.nn.softmax)
ratio = np.linalg.norm(slopes[confident]) / np.linalg.norm(after[confident])
probability = np.asarray(tf.nn.softmax(logits[confident])).max()
print(f"{names[predicted[confident]]}: probability {probability:.6f}")
print(f"the gradient of the probability is {ratio:,.0f} times smaller")
assert ratio > 1_000

# %% [markdown]
# ## Trap 2: there is a map for every class
#
# The image of the ship also has a map for the class "cat". As each map is drawn on its own scale,
# it looks just as bright. So look at the **logit** first, and at the strength of the map before it
# is scaled. The strongest place for "cat" has less than a third of the value of the strongest place
# for "ship". `class_index=(a, b)` answers the better question: *why a rather than b*.

# %%
classes = [names.index("ship"), names.index("cat")]
pair = np.stack([images[ship]] * 2)
both = kcnn.grad_cam(model, pair, class_index=classes)
peaks = both.raw.max(axis=(1, 2))
captions = [
    f"{names[k]}: logit {score:.1f}, peak {peak:.2f}"
    for k, score, peak in zip(classes, both.score, peaks, strict=True)
]
assert both.score[0] > both.score[1]
assert peaks[1] / peaks[0] < 1 / 3
smaller(both.plot(pair, captions))

# %% [markdown]
# ## Trap 3: a place is not a pixel
#
# The map has 8x8 places and is resized to 32x32 pixels for the picture: its smooth outline comes
# from the resizing, not from the network. And a place sees far more than the 4x4 pixels that it
# covers: after nineteen convolutions its receptive field is 81 pixels wide, wider than the image.
# If the heat is on the bow, that does not mean that the network used only the bow.

# %%
assert images.shape[1] // features.shape[1] == 4
assert facts.read()["resnet20"].receptive_field == (81, 81)
assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 19

# %% [markdown]
# ## Does the map depend on the network at all?
#
# An edge detector also draws a plausible outline of a ship, although it knows nothing about ships.
# So a map should pass tests, in which it is compared with a random map and with a map of edges:
#
# * **deletion, insertion**: replace the hottest places by gray first, and the probability should
#   fall quickly; or show them first, and it should rise quickly;
# * **randomized weights**: replace the weights by random ones; if the map does not change, it shows
#   the image and not the network;
# * **planted patch, mosaic**: paste a patch of another class, or tile four photographs; now the
#   correct place is *known*.

# %%
check = kcnn.explain.check(model, images[::2], labels[::2])  # every other image, to save time
print(check)

# %%
smaller(check.plot())

# %% [markdown]
# Read these numbers with their intervals, which are wide for so few images. Grad-CAM finds the
# planted patch and the correct tile far more often than a random map, and it changes when the
# weights are random. But in the deletion test it is within 0.15 of the random map, because a
# network is disturbed when *any* part of an image turns gray. The maps are better than nothing, but
# they are not proof.

# %%
for score in (check.insertion.score, check.planted_patch.peak, check.mosaic.peak):
    assert "random" in score.beats
assert check.randomization.score.estimates["own"].mean < 0.5
deletion = check.deletion.score.estimates
assert abs(deletion["own"].mean - deletion["random"].mean) < 0.15

# %% [markdown]
# ## After compression
#
# The fourth notebook compressed a network for a phone. Does such a network still use the same
# places? The `.tflite` file ends in the same average and dense layer, so its map can be computed
# from the file itself.

# %%
variants = ("model_int8", "model_pruned_int8")
files = [f"../saved_models/resnet20/{variant}.tflite" for variant in variants]
moved = dict(zip(variants, kcnn.explain.drift(model, *files, images=images), strict=True))
for variant, drift in moved.items():
    print(f"{variant:18} correlation {drift.correlation}, peak moved by {drift.shift} pixels")

# %% [markdown]
# Eight bits hardly change the maps: the correlation is above 0.99. Pruning changes them a little,
# although the accuracy hardly changes: the evidence for a prediction can change before the
# prediction does.

# %%
assert moved["model_int8"].correlation.mean > 0.99
assert 0.9 < moved["model_pruned_int8"].correlation.mean < moved["model_int8"].correlation.mean

# %% [markdown]
# ## What to remember
#
# A heat map shows where the evidence for a class is, as one layer sees it. It does not show whether
# the network is right, nor whether a change at that place would change the prediction. To find that
# out, change the image and look at the prediction.
#
# ## Exercises
#
# 1. Choose one of the five mistakes and draw "why the wrong class rather than the correct one" with
#    `class_index=(wrong, right)`. Then cover the hottest places with gray. Is the prediction
#    correct now?
# 2. Compare `method="layercam"` at `layer="stage1_block3_relu"` with the default. Which one would
#    you show to a customer, and which one would you use to find a bug?
# 3. Take a photograph and run `kcnn explain ../saved_models/resnet20 photo.jpg`. The network knows
#    only ten classes. What does it predict for a face, and how confident is it?
# 4. `kcnn.explain.maximize(model, 8)` makes an image whose logit for "ship" is far above that of
#    any real ship. Would you call it a ship?
