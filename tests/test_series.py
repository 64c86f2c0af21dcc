"""Series and voxels: from arrays through training and heat maps to the phone."""

import keras
import numpy as np
import pytest
from small_models import randomize

import kcnn
from kcnn.compress.qat.series import series_as_maps
from kcnn.data import from_arrays
from kcnn.explain.enlarge import enlarged
from kcnn.litert import TFLiteClassifier

RANKS = {1: (32, 2), 3: (12, 12, 12, 1)}


def bumps(rank, count=120, seed=0):
    """Return noise with a bump in its first half (class 0) or in its second one."""
    random = np.random.default_rng(seed)
    shape = RANKS[rank]
    values = random.normal(0, 0.3, (count, *shape)).astype(np.float32) - 5
    labels = np.arange(count) % 2
    size, width = shape[0], shape[0] // 4
    start = random.integers(0, size // 2 - width + 1, count) + labels * (size // 2)
    for each, begin in zip(values, start, strict=True):
        each[begin : begin + width] += 4
    return values, labels


def network(rank):
    layers = keras.layers
    conv = {1: layers.Conv1D, 3: layers.Conv3D}[rank]
    size, channels = RANKS[rank][0], RANKS[rank][-1]
    return keras.Sequential(
        [
            keras.Input((*[size] * rank, channels), name={1: "series", 3: "voxels"}[rank]),
            layers.Rescaling(0.5, offset=2.0),
            conv(8, 3, padding="same", activation="relu", name="features"),
            layers.Flatten(),
            layers.Dense(2, name="logits"),
        ]
    )


@pytest.fixture(scope="module", params=RANKS)
def trained(request):
    """Return the rank, the data and a trained model."""
    rank = request.param
    keras.utils.set_random_seed(0)
    values, labels = bumps(rank)
    data = from_arrays(values, labels, pixels=False, batch_size=12)
    model = network(rank)
    kcnn.train(model, data, epochs=6, learning_rate=0.01, callbacks=[])
    return rank, data, model


def test_series_and_voxels_are_split_shuffled_and_learned(trained):
    rank, data, model = trained
    assert (data.num_train, data.num_validation, data.num_test) == (86, 10, 24)
    values, labels = next(data.train.as_numpy_iterator())
    assert values.dtype == np.float32 and values.shape[1:] == RANKS[rank] == data.image_shape
    assert 0 < labels.mean() < 1
    assert kcnn.evaluate(model, data.test).accuracy >= 0.9
    for tta in ("flip", "flip_shift_unsure"):
        with pytest.raises(ValueError, match="mirrors and moves images .*leave tta out"):
            kcnn.evaluate(model, data.test, tta=tta)


METHODS = ["gradcam", "hirescam", "layercam", "gradcam++", "scorecam"]


@pytest.mark.parametrize("method", METHODS)
def test_heat_maps_are_their_formulas(trained, method):
    rank, _, model = trained
    values, _ = bumps(rank, 3, seed=2)
    observed = keras.Model(model.inputs[0], model.get_layer("features").output)
    maps = np.asarray(observed(values))
    gradients = np.asarray(model.get_layer("logits").kernel)[:, 1].reshape(maps.shape[1:])
    axes = tuple(range(rank))
    heatmaps = kcnn.grad_cam(model, values, 1, method=method)
    assert heatmaps.layer == "features" and heatmaps.raw.shape == values.shape[:-1]
    assert heatmaps.coverage.shape == heatmaps.is_empty.shape == (3,)
    if method in ("gradcam++", "scorecam"):
        return  # of images, tests/test_explain_methods.py has their formulas
    weights = {
        "gradcam": gradients.mean(axis=axes, keepdims=True),
        "hirescam": gradients,
        "layercam": np.maximum(gradients, 0),
    }[method]
    expected = np.maximum((maps * weights).sum(axis=-1), 0)
    np.testing.assert_allclose(heatmaps.raw, expected, rtol=1e-4, atol=1e-4)


def test_heat_maps_and_feature_maps_are_drawn(trained, tmp_path):
    rank, _, model = trained
    values, _ = bumps(rank, 2)
    heatmaps = kcnn.grad_cam(model, values)
    heatmaps.save(tmp_path / "heat.png")
    assert heatmaps._repr_png_()
    with pytest.raises(ValueError, match="series and voxels are drawn by plot"):
        heatmaps.overlay(values)
    seen = kcnn.explain.feature_maps(model, values)
    assert {name: maps.shape for name, maps in seen.items()} == {
        "features": (*values.shape[:-1], 8)
    }
    assert isinstance(seen.silent("features"), list)
    seen.save(tmp_path / "maps.png", 1)
    assert (tmp_path / "heat.png").stat().st_size > 5000 < (tmp_path / "maps.png").stat().st_size


def test_explanations_of_images_refuse_them(trained):
    rank, _, model = trained
    with pytest.raises(ValueError, match=r"needs a model of images \[N, H, W, C\]"):
        kcnn.explain.maximize(model)
    if rank == 3:
        with pytest.raises(ValueError, match=r"model of series .* or images \[N, H, W, C\]"):
            kcnn.explain.filters(model)


def test_filters_of_series_are_drawn(tmp_path):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((32, 3)), layers.Conv1D(9, 5, name="conv"), layers.DepthwiseConv1D(4)]
    )
    seen = kcnn.explain.filters(model)
    kernel = model.get_layer("conv").kernel.numpy()
    np.testing.assert_array_equal(seen.kernels, kernel)
    figure = seen.plot(filters=6)  # three channels of a series are no colors
    assert figure.get_suptitle() == "conv: 9 filters of 5 x 3, the first 6 of them"
    drawn = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ma.filled(drawn, 9)[2, 6:11], kernel[:, 1, 1])
    assert kcnn.explain.filters(model, layer="depthwise_conv1d").kernels.shape == (4, 1, 9)
    seen.save(tmp_path / "filters.png")


@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_series_are_exported(trained, tmp_path, quantization):
    rank, data, model = trained
    path = tmp_path / "model.tflite"
    options = {"quantization": quantization, "labels": data.class_names}
    if quantization == "int8":
        options["calibration"] = data.calibration
    if rank == 3 and quantization == "int8":
        with pytest.raises(RuntimeError, match="CONV_3D would compute in float32"):
            kcnn.export_tflite(model, path, **options)
        assert not path.exists()
        return
    result = kcnn.export_tflite(model, path, **options)
    assert result.input.name == {1: "series", 3: "voxels"}[rank]
    assert kcnn.evaluate(path, data.test).accuracy >= 0.9
    values, _ = bumps(rank, 8, seed=3)
    classifier = TFLiteClassifier(path)
    difference = np.abs(classifier(values) - np.asarray(model(values)))
    assert difference.max() < (2e-3 if quantization == "none" else 0.5)
    assert classifier.milliseconds_per_image(repeats=1) > 0
    with pytest.raises(ValueError, match="kcnn.predict is for images"):
        kcnn.predict(path, values)
    with pytest.raises(ValueError, match="takes numbers, shape"):
        classifier(values[:, 1:])


def test_pooling_of_voxels_is_refused_by_its_operator(tmp_path):
    model = kcnn.models.simple_cnn((12, 12, 12, 1), 2)
    with pytest.raises(RuntimeError, match=r"no operator for tf\.MaxPool3D"):
        kcnn.export_tflite(model, tmp_path / "model.tflite", quantization="none")


def test_batches_of_series_are_not_rounded_as_pixels_are():
    values, labels = bumps(1)
    values = 20 * np.abs(values)  # within 0 to 255
    data = kcnn.data.from_dataset((values[20:], labels[20:]), (values[:20], labels[:20]))
    read = next(data.validation.as_numpy_iterator())[0]
    np.testing.assert_array_equal(read, values[:20])


def test_what_is_no_series_is_refused():
    values, labels = bumps(1)
    with pytest.raises(ValueError, match="leave augment out with pixels=False"):
        from_arrays(values, labels, pixels=False, augment="standard")
    with pytest.raises(ValueError, match=r"finite numbers. Received: nan at \(3, 0, 0\)"):
        broken = values.copy()
        broken[3, 0, 0] = np.nan
        from_arrays(broken, labels, pixels=False)
    with pytest.raises(ValueError, match="pixels=False"):
        from_arrays(values[:, :, None], labels)
    with pytest.raises(ValueError, match=r"series \[N, steps, channels\]"):
        from_arrays(values[:, :, 0], labels, pixels=False)


@pytest.mark.parametrize("sizes", [(7, 9), (3, 4), (12, 5)])
def test_maps_are_enlarged_as_tensorflow_does_it(sizes):
    import tensorflow as tf

    maps = np.random.default_rng(0).normal(size=(3, 3, 4)).astype(np.float32)
    expected = tf.image.resize(maps[..., None], sizes)[..., 0]
    np.testing.assert_allclose(enlarged(maps, sizes), expected, atol=1e-5)


def branched_series():
    """Return a model with every layer that series and maps have in common, and random weights."""
    layers = keras.layers
    series = keras.Input((32, 2), name="series")
    x = layers.Rescaling(0.5, offset=0.1)(layers.ZeroPadding1D((1, 2))(series))
    x = layers.Conv1D(6, 5, padding="causal", dilation_rate=2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(axis=2)(x))
    y = layers.DepthwiseConv1D(3, strides=2, padding="same", activation="relu")(x)
    z = layers.Conv1D(6, 1, strides=2, padding="same", groups=2)(x)
    x = layers.Concatenate(axis=2)(
        [layers.Add()([y, z]), layers.MaxPooling1D(2, padding="same")(x)]
    )
    x = layers.Permute((2, 1))(layers.Cropping1D((1, 1))(layers.AveragePooling1D(2)(x)))
    x = layers.Reshape((7, 12))(layers.SpatialDropout1D(0.1)(x))
    x = layers.Dense(4, activation="relu")(layers.Conv1D(5, 3, activation="relu")(x))
    x = layers.Concatenate()([layers.Flatten()(x), layers.GlobalMaxPooling1D()(x)])
    return randomize(keras.Model(series, layers.Dense(2, name="logits")(x)))


def test_series_are_maps_of_a_single_row():
    model = branched_series()
    values, _ = bumps(1, 8)
    maps = series_as_maps(model)
    assert not any("1D" in type(layer).__name__ for layer in maps.layers)
    np.testing.assert_allclose(maps(values), model(values), rtol=1e-4, atol=1e-4)


def test_series_are_trained_for_int8(tmp_path):
    values, labels = bumps(1)
    data = from_arrays(values, labels, pixels=False, batch_size=12)
    layers = keras.layers
    model = keras.Sequential(
        [
            *(keras.Input((32, 2)), layers.Rescaling(0.5, offset=2.0)),
            *(layers.Conv1D(8, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()),
            *(layers.MaxPooling1D(2), layers.Flatten(), layers.Dense(2, name="logits")),
        ]
    )
    kcnn.train(model, data, epochs=4, learning_rate=0.01, callbacks=[])
    result = kcnn.quantize_aware(model, data, epochs=2)
    assert result.control.get_layer(model.layers[1].name).kernel.shape == (3, 2, 8)
    path = tmp_path / "model.tflite"
    step = kcnn.export_tflite(result.model, path).output.scale
    shown, _ = bumps(1, 40, seed=3)
    difference = np.abs(TFLiteClassifier(path)(shown) - np.asarray(result.model(shown)))
    assert np.quantile(difference, 0.95) <= 2 * step
    assert kcnn.evaluate(path, data.test).accuracy >= 0.9


def test_what_cannot_be_trained_for_int8_is_named():
    layers = keras.layers
    data = from_arrays(*bumps(1, 40), pixels=False, batch_size=8)
    recurrent = keras.Sequential([keras.Input((32, 2)), layers.LSTM(4, name="memory")])
    recurrent.add(layers.Dense(2))
    with pytest.raises(ValueError, match=r"'memory' \(LSTM\) .* in a model of series, use"):
        kcnn.quantize_aware(recurrent, data)
    with pytest.raises(ValueError, match="LiteRT convolves voxels in floats only"):
        kcnn.quantize_aware(network(3), from_arrays(*bumps(3, 40), pixels=False, batch_size=8))
