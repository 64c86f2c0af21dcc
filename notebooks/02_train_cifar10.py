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
# A network, labeled images and plain Keras: `compile`, `fit` and three callbacks.
#
# **What you will see**
#
# * data in three parts, and the purpose of each;
# * a small CNN that learns in under a minute;
# * what EarlyStopping, ReduceLROnPlateau and ModelCheckpoint did, epoch by epoch;
# * the test accuracy, the mistakes, and the same training on CIFAR-10.
#
# It runs on handwritten digits that come with scikit-learn, so nothing is downloaded. For CIFAR-10,
# change the line marked below. Everything else stays true, but takes longer.

# %%
import csv
import tempfile
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np

import kcnn
from kcnn.report import receipts

SILENT: Any = 0  # for `verbose`: no progress bar
LINES: Any = 2  # one line for each epoch
SET, RATE = "digits", 3e-3  # for photographs: "cifar10", 1e-3

# %% [markdown]
# ## The data, in three parts
#
# The network learns from the **training** images. We use the **validation** images to make choices
# during the training: when to stop, and which epoch was best. Because of these choices their score
# is a little too good. The **test** images are scored once, at the very end, and nothing is chosen
# by them.

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
# Two blocks of convolution, batch norm, ReLU and pooling, then a dense layer and ten outputs. All
# models of kcnn have two properties in common. Their input is **raw pixels** from 0 to 255: the
# model scales them itself, so nobody can forget to do it. Their output is **logits**: ten numbers,
# of which the largest is the predicted class. A softmax turns logits into probabilities; the loss
# includes it, which is more accurate.
#
# We leave out dropout on purpose, to show what happens without it.

# %%
model = kcnn.models.simple_cnn(num_classes=len(data.class_names), spatial_dropout=0, dropout=0)
assert images.min() >= 0 and 200 < images.max() <= 255  # raw pixels: nothing has scaled them
for layer in kcnn.arithmetic.model_arithmetic(model).layers:
    print(f"{layer.name:20} {layer.output_shape[1:]!s:15} {layer.parameters:>8,}")

# %%
model.compile(
    optimizer=keras.optimizers.Adam(RATE),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
guess = model.evaluate(data.validation, verbose=SILENT, return_dict=True)
print(f"before training: {guess['accuracy']:.0%} right, {1 / len(data.class_names):.0%} is chance")

# %% [markdown]
# ## Three callbacks
#
# Keras calls them after every epoch. All three monitor the validation loss:
#
# * **ReduceLROnPlateau** divides the learning rate by 5 after 3 epochs without improvement. Steps
#   that are right for approaching a minimum are too large to come close to it;
# * **EarlyStopping** ends the training after 7 epochs without improvement, and restores the weights
#   of the best epoch;
# * **ModelCheckpoint** writes the model to a file whenever it is the best one so far.

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
    shuffle=False,  # the data set shuffles itself before every epoch
    verbose=LINES,
).history

# %% [markdown]
# ## What each callback did
#
# First the learning curves. The training loss keeps falling; the validation loss stops falling at
# some point. From there on the network memorizes the training images: it **overfits**.

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
axes.axvline(epochs[best], color="#009E73", alpha=0.5, linewidth=4, label="best epoch: restored")
axes.set_xlabel("epoch")
axes.set_ylabel("loss")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# The number of epochs depends on how your processor rounds, so this section gives no results. It
# checks instead what must hold on every machine: that each callback did its work.
#
# **ReduceLROnPlateau**: each cut divides the rate by 5, after 3 epochs in a row that did not
# improve on the best one.

# %%
assert len(cuts) >= 1
assert np.allclose(rates[cuts] / rates[cuts - 1], 1 / 5)
for cut in cuts:
    assert (val_loss[cut - 3 : cut] >= val_loss[: cut - 3].min()).all()
    print(f"after epoch {cut}: {rates[cut - 1]:.1e} -> {rates[cut]:.1e}")

# %% [markdown]
# **EarlyStopping**: the last 7 epochs did not improve on the best one, and the model has the
# weights of the best epoch, not those of the last.

# %%
assert len(val_loss) == best + 1 + 7
now = model.evaluate(data.validation, verbose=SILENT, return_dict=True)
assert np.isclose(now["loss"], val_loss[best], rtol=1e-4)
print(f"epoch {best + 1} of {len(val_loss)} was the best, and its weights are restored")

# %% [markdown]
# **ModelCheckpoint**: there is one file for each epoch that was the best so far, and the newest
# file holds the same model. Any Keras loads it, without kcnn.

# %%
files = sorted(folder.glob("*.keras"))
assert [int(file.name[:2]) - 1 for file in files] == saved.tolist()
reloaded = keras.models.load_model(files[-1])
assert isinstance(reloaded, keras.Model)
assert np.allclose(reloaded(images), model(images), atol=1e-4)
print(*(file.name for file in files))

# %% [markdown]
# Two warnings. If you misspell the name of the monitored loss, Keras only warns, and then treats no
# epoch, or every epoch, as an improvement. And if the first loss is not a number, Keras takes it
# for the best one. `kcnn.callbacks.standard` returns these callbacks with a guard against both
# mistakes, and a log. `kcnn.train` does all of the above in one call.

# %%
for callback in kcnn.callbacks.standard(folder / "run"):
    print(type(callback).__name__)

# %% [markdown]
# ## The test set, scored once
#
# More than 95 % of the digits are predicted correctly. Look at the others: would you have known?

# %%
scored = kcnn.evaluate(model, data.test, expected_count=data.num_test)
assert scored.accuracy > (0.95 if SET == "digits" else 0.5)
print(f"{scored.accuracy:.1%} of {scored.count} test images; validation {now['accuracy']:.1%}")

test_images = np.concatenate([batch for batch, _ in data.test.as_numpy_iterator()])
predicted = scored.logits.argmax(axis=1)
wrong = np.flatnonzero(predicted != scored.labels)[:8]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for cell in axes:
    cell.axis("off")
for cell, index in zip(axes, wrong, strict=False):
    cell.imshow(test_images[index])
    truth, answer = data.class_names[scored.labels[index]], data.class_names[predicted[index]]
    cell.set_title(f"{truth}, predicted {answer}", fontsize=7)
plt.show()

# %% [markdown]
# An accuracy that is measured on few images is uncertain. With $n$ images and the accuracy $p$, its
# standard error is $\sqrt{p(1 - p)/n}$. The interval of twice that on both sides contains the true
# value about nineteen times out of twenty. For these few digits it is a point or more on each side.
# Do not call a network better because of a smaller difference.

# %%
error = np.sqrt(scored.accuracy * (1 - scored.accuracy) / scored.count)
print(f"{scored.accuracy:.1%} ± {2 * error:.1%}")

# %% [markdown]
# ## The same on CIFAR-10
#
# The recipe `simple_cnn` trains this network on 45,000 photographs for 55 epochs. Here is its log
# from `saved_models/`. Instead of waiting for a plateau, the recipe has a fixed schedule of the
# learning rate, a cosine that falls to zero: if the number of epochs is known, that is hard to
# beat. The test accuracy is 79.95 %. ResNet-20, which the next notebook explains, reaches 89.95 %
# with about as many parameters.

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
small = receipts.load("../saved_models/simple_cnn/report.json")
residual = receipts.load("../saved_models/resnet20/report.json")
assert small.train_images == 45_000 and len(rows) == 55
assert small.receipts[0].accuracy == 0.7995
assert residual.receipts[0].accuracy == 0.8995
assert abs(small.parameters / residual.parameters - 1) < 0.01
assert course["learning_rate"][-1] == 0

# %% [markdown]
# Did you notice that the training accuracy is *below* the validation accuracy? Training images were
# shifted and mirrored at random, and dropout removed some of the units; validation images stay
# unchanged. The training task is harder on purpose, to prevent overfitting. (Also, the training
# accuracy is a mean over the epoch, during which the network was still improving.)

# %%
assert (course["accuracy"] < course["val_accuracy"]).mean() > 0.9

# %% [markdown]
# ## Exercises
#
# 1. Load the data with `augment="shift"` and build the model with its default dropout. Compare both
#    loss curves and the best epoch with those above.
# 2. Try a learning rate that is a hundred times larger, and one that is a hundred times smaller.
#    What do the callbacks do? (`kcnn.find_learning_rate` draws the loss over the rate before you
#    train.)
# 3. Misspell `monitor="val_los"` in EarlyStopping, then make the same mistake with
#    `kcnn.callbacks.standard`. Which one do you prefer after an hour of training?
