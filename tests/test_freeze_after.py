"""The bias of a whitening layer trains in the first epochs only."""

import keras
import numpy as np
import pytest

import kcnn
from kcnn.callbacks import FreezeAfter
from kcnn.pipeline.setup import build
from kcnn.recipe import Model, Recipe, Train, Transfer, override
from kcnn.training import make_optimizer


class Watch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.bias, self.other = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.bias.append(np.array(self.model.get_layer("whiten").bias))
        self.other.append(np.array(self.model.get_layer("logits").kernel))


def train(resume=None, epochs=4, frozen_after=2, callbacks=(), **options):
    keras.utils.set_random_seed(0)
    data = kcnn.data.load("digits", limit=120, batch_size=50, augment="none")
    model = kcnn.models.speed_net(width=4, multiple=1)
    kcnn.models.whiten(model, np.concatenate([x for x, _ in data.train.as_numpy_iterator()]))
    watch = Watch()
    optimizer = make_optimizer("muon", 0.05, weight_decay=0.1, decay_everything=True, **options)
    used = [FreezeAfter("whiten", epochs=frozen_after), watch, *callbacks]
    kcnn.train(model, data, epochs=epochs, optimizer=optimizer, callbacks=used, resume=resume)
    return model, watch


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise InterruptedError


def test_the_layer_stands_still_after_its_epochs(tmp_path):
    model, watch = train()
    assert np.any(watch.bias[0] != watch.bias[1])
    np.testing.assert_array_equal(watch.bias[1], watch.bias[2])  # no decay either
    np.testing.assert_array_equal(watch.bias[1], watch.bias[3])
    assert np.all(np.any(a != b) for a, b in zip(watch.other[:-1], watch.other[1:], strict=True))
    layer = model.get_layer("whiten")
    assert layer.bias.trainable and not layer.kernel.trainable  # as before
    with pytest.raises(InterruptedError):
        train(resume=tmp_path, callbacks=[Stop()])
    resumed, watch = train(resume=tmp_path)
    assert len(watch.bias) == 1
    for mine, whole in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, whole, rtol=1e-3, atol=1e-4)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="leave ema out"):
        train(ema=0.9, epochs=1)
    with pytest.raises(ValueError, match="epochs must be an integer"):
        FreezeAfter("whiten", epochs=0)
    with pytest.raises(ValueError, match="whitening_epochs cannot be set with ema"):
        Train(whitening_epochs=3, ema=0.9)
    with pytest.raises(ValueError, match="whitening_epochs is for"):
        Recipe(train=Train(whitening_epochs=3), transfer=Transfer(base="base.keras"))
    recipe = override(Recipe(model=Model(name="lenet5")), ["train.whitening_epochs=3"])
    data = kcnn.data.load("digits", limit=120, batch_size=50)
    with pytest.raises(ValueError, match="such as speed_net. Received: model.name='lenet5'"):
        build(recipe, data)
