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
# # 2. Training
#
# A network, images with labels, and plain Keras: `compile`, `fit`, and three callbacks that watch.
#
# **What you will see**
#
# * data cut in three, and what each part is for;
# * a small CNN that learns in under a minute;
# * what EarlyStopping, ReduceLROnPlateau and ModelCheckpoint each did, epoch by epoch;
# * the test score, its mistakes, and how the same goes on CIFAR-10.
#
# It runs on handwritten digits that come with scikit-learn, so that nothing is downloaded. For
# CIFAR-10 change the line that says so below. Everything else still holds, at a longer wait.

# %%
import csv
import json
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import kcnn

SET, RATE = "digits", 3e-3  # for photographs: "cifar10", 1e-3

# %% [markdown]
# ## The data, in three parts
#
# The network learns from the **training** images. On the **validation** images we judge it while it
# learns: when to stop, which epoch was best. As we choose by them, their score is a little too
# good. The **test** images are scored once, at the very end, and nothing is chosen by them.

# %%
keras.utils.set_random_seed(0)
data = kcnn.data.load(SET, batch_size=64, augment="none")
print(data.num_train, "training,", data.num_validation, "validation,", data.num_test, "test images")

images, labels = next(data.train.as_numpy_iterator())
assert images.dtype == np.uint8 and images.shape[1:] == (32, 32, 3)

figure, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for cell, image, label in zip(axes.flat, images, labels, strict=False):
    cell.imshow(image)
    cell.set_title(data.class_names[label], fontsize=9)
    cell.axis("off")
plt.show()

# %% [markdown]
# ## The model
#
# Two rounds of convolution, batch norm, ReLU and pooling; then a dense layer, and ten numbers. Two
# habits of every model here are worth knowing. It takes the **raw pixels**, 0 to 255: it scales
# them itself, so nobody can forget to. And it ends in **logits**: any ten numbers, the largest
# wins. A softmax would make probabilities of them; the loss does that itself, and more exactly.
#
# We leave dropout out on purpose: you shall see what happens without.

# %%
model = kcnn.models.simple_cnn(num_classes=len(data.class_names), spatial_dropout=0, dropout=0)
assert images.min() >= 0 and 200 < images.max() <= 255  # what it takes: nothing is scaled
for layer in model.layers:
    print(f"{layer.name:20} {layer.output.shape[1:]!s:15} {layer.count_params():>8,}")

# %%
model.compile(
    optimizer=keras.optimizers.Adam(RATE),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
guess = model.evaluate(data.validation, verbose=0, return_dict=True)
print(f"before training: {guess['accuracy']:.0%} right, {1 / len(data.class_names):.0%} is chance")

# %% [markdown]
# ## Three callbacks
#
# Keras calls them after every epoch. All three watch the validation loss:
#
# * **ReduceLROnPlateau** divides the learning rate by 5 when 3 epochs have brought nothing better.
#   Steps that were right for crossing the valley are too long for settling at its bottom;
# * **EarlyStopping** ends the training when 7 epochs have brought nothing better, and puts the
#   weights of the best epoch back;
# * **ModelCheckpoint** writes the model to a file whenever it is the best so far.

# %%
folder = Path(tempfile.mkdtemp())
plateau = keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=3, min_delta=0)
stopping = keras.callbacks.EarlyStopping(patience=7, restore_best_weights=True)
checkpoint = keras.callbacks.ModelCheckpoint(
    folder / "{epoch:02d}-{val_loss:.4f}.keras", save_best_only=True
)
assert plateau.factor == 1 / 5 and plateau.patience == 3 and stopping.patience == 7

history = model.fit(
    data.train,
    validation_data=data.validation,
    epochs=60,
    callbacks=[plateau, stopping, checkpoint],
    shuffle=False,  # the data set shuffles itself, anew for every epoch
    verbose=2,
).history

# %% [markdown]
# ## What each of them did
#
# First the curves. The training loss falls and falls; the validation loss stops falling at some
# point. From there on the network learns the training images by heart: it **overfits**.

# %%
epochs = np.arange(1, len(history["loss"]) + 1)
loss, val_loss = np.array(history["loss"]), np.array(history["val_loss"])
rates = np.array(history["learning_rate"])
best = int(val_loss.argmin())
cuts = np.flatnonzero(np.diff(rates) < 0) + 1  # the first epochs at a lower rate
saved = np.flatnonzero(val_loss == np.minimum.accumulate(val_loss))

figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
axes.semilogy(epochs, loss, "o--", ms=3, color="#0072B2", label="training loss")
axes.semilogy(epochs, val_loss, "s-", ms=3, color="#D55E00", label="validation loss")
axes.plot(epochs[saved], val_loss[saved], "D", ms=8, mfc="none", color="k", label="saved")
for cut in cuts:
    label = "rate divided by 5" if cut == cuts[0] else None
    axes.axvline(epochs[cut] - 0.5, color="0.6", linestyle=":", label=label)
axes.axvline(epochs[best], color="#009E73", alpha=0.5, linewidth=4, label="best epoch: put back")
axes.set_xlabel("epoch")
axes.set_ylabel("loss")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# How many epochs it took depends on your processor's rounding, so no number here is promised. What
# must hold wherever you run it is that each callback kept its word.
#
# **ReduceLROnPlateau**: after each cut the rate is a fifth of what it was, and before it 3 epochs
# in a row were no better than the best.

# %%
assert len(cuts) >= 1
assert np.allclose(rates[cuts] / rates[cuts - 1], 1 / 5)
for cut in cuts:
    assert (val_loss[cut - 3 : cut] >= val_loss[: cut - 3].min()).all()
    print(f"after epoch {cut}: {rates[cut - 1]:.1e} -> {rates[cut]:.1e}")

# %% [markdown]
# **EarlyStopping**: the last 7 epochs were no better than the best one, and the model is the best
# epoch's again, not the last one's.

# %%
assert len(val_loss) == best + 1 + 7
now = model.evaluate(data.validation, verbose=0, return_dict=True)
assert np.isclose(now["loss"], val_loss[best], rtol=1e-4)
print(f"epoch {best + 1} of {len(val_loss)} was best, and its weights are back")

# %% [markdown]
# **ModelCheckpoint**: there is one file for each epoch that was the best so far, and the newest
# holds the same model. It loads in any Keras, without kcnn.

# %%
files = sorted(folder.glob("*.keras"))
assert [int(file.name[:2]) - 1 for file in files] == saved.tolist()
reloaded = keras.models.load_model(files[-1])
assert np.allclose(reloaded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-4)
print(*(file.name for file in files))

# %% [markdown]
# Two words of care. Keras only warns when you mistype the name of the loss to watch, and then goes
# on as if nothing were better ever, or everything; and it takes a loss that is not a number for
# the best one if it comes first. `kcnn.callbacks.standard` returns these callbacks with a guard
# against both, and a log; `kcnn.train` is the whole of the above in one call.

# %%
for callback in kcnn.callbacks.standard(folder / "run"):
    print(type(callback).__name__)

# %% [markdown]
# ## The test, once
#
# More than 95 % of the digits are told right. Look at what is not: would you have known?

# %%
told = kcnn.evaluate(model, data.test, expected_count=data.num_test)
assert told.accuracy > (0.95 if SET == "digits" else 0.5)
print(f"{told.accuracy:.1%} of {told.count} test images; validation {now['accuracy']:.1%}")

test_images = np.concatenate([batch for batch, _ in data.test.as_numpy_iterator()])
answers = told.logits.argmax(axis=1)
wrong = np.flatnonzero(answers != told.labels)[:8]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for cell in axes:
    cell.axis("off")
for cell, index in zip(axes, wrong, strict=False):
    cell.imshow(test_images[index])
    truth, answer = data.class_names[told.labels[index]], data.class_names[answers[index]]
    cell.set_title(f"{truth}, told {answer}", fontsize=8)
plt.show()

# %% [markdown]
# A score from few images is uncertain. With $n$ images and a share $p$ right, the standard error is
# $\sqrt{p(1 - p)/n}$; twice that to either side holds the truth about nineteen times out of
# twenty. On these few digits that is a point or more. Do not call a network better for less.

# %%
error = np.sqrt(told.accuracy * (1 - told.accuracy) / told.count)
print(f"{told.accuracy:.1%} ± {2 * error:.1%}")

# %% [markdown]
# ## The same on CIFAR-10
#
# The recipe `simple_cnn` trains this network on 45,000 photographs for 55 epochs. Here is its log,
# as it lies in `saved_models/`. It sets the learning rate by a fixed schedule, a cosine that falls
# to zero, instead of waiting for a plateau: where the number of epochs is known, that is hard to
# beat. It ends at 79.95 % of the test images. ResNet-20, which the next notebook explains, reaches
# 89.95 % with about as many parameters.

# %%
with open("../saved_models/simple_cnn/history.csv") as file:
    rows = list(csv.DictReader(file))
course = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3), layout="constrained")
axes[0].plot(100 * course["accuracy"], "--", color="#0072B2", label="training")
axes[0].plot(100 * course["val_accuracy"], color="#D55E00", label="validation")
axes[0].set_ylabel("accuracy (%)")
axes[0].legend(frameon=False)
axes[1].plot(course["learning_rate"], color="0.3")
axes[1].set_ylabel("learning rate")
for each in axes:
    each.set_xlabel("epoch")
    each.grid(alpha=0.3)
plt.show()

# %%
reports = {
    name: json.loads(Path(f"../saved_models/{name}/report.json").read_text())
    for name in ("simple_cnn", "resnet20")
}
small, residual = reports["simple_cnn"], reports["resnet20"]
assert small["train_images"] == 45_000 and len(rows) == 55
assert small["stages"][0]["accuracy"] == 0.7995
assert residual["stages"][0]["accuracy"] == 0.8995
assert abs(small["parameters"] / residual["parameters"] - 1) < 0.01
assert course["learning_rate"][-1] == 0

# %% [markdown]
# Did you notice that the training curve lies *below* the validation curve? Training images were
# moved and mirrored at random and a share of the units dropped; the validation images come as they
# are. The training task is harder, on purpose: that is what holds overfitting off. (And training
# accuracy is a mean over the epoch, in which the network was still getting better.)

# %%
assert (course["accuracy"] < course["val_accuracy"]).mean() > 0.9

# %% [markdown]
# ## Exercises
#
# 1. Load the data with `augment="shift"` and give the model its dropout back. Compare the two loss
#    curves with ours, and the best epoch.
# 2. Take a learning rate a hundred times as large, and one a hundred times as small. What do the
#    callbacks do? (`kcnn.find_learning_rate` draws the loss over the rate before you train.)
# 3. Misspell `monitor="val_los"` in EarlyStopping, then use `kcnn.callbacks.standard` with the
#    same mistake. Which one do you prefer to meet after an hour of training?
