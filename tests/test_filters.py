"""Pictures of filters, and the vertical edge filter's answer with its sign."""

import keras
import numpy as np
import pytest
from matplotlib.image import imread
from small_models import LAYERS, gap_model, images, snapshot
from test_explain_models import pooled_backbone

from kcnn.explain import VERTICAL_EDGE, Filters, edge_response, filters, plot_edge_response


def two_convolutions():
    body = [LAYERS.Conv2D(4, 5, name="first"), LAYERS.Conv2D(7, 3, name="second")]
    return keras.Sequential([keras.Input((12, 12, 3)), LAYERS.Rescaling(1 / 255), *body])


def test_filters_are_the_kernel_of_the_first_convolution_or_of_the_one_named():
    model = two_convolutions()
    before = snapshot(model)
    for asked, name in ((None, "first"), ("second", "second")):
        seen = filters(model, layer=asked)
        assert seen.layer == name and seen.is_rgb == (name == "first")
        np.testing.assert_array_equal(seen.kernels, model.get_layer(name).kernel.numpy())
    assert snapshot(model) == before


def test_filters_inside_a_nested_model_are_found():
    plain = gap_model(size=8)
    model = pooled_backbone(plain)
    for asked in (None, "conv", "backbone/conv"):
        seen = filters(model, layer=asked)
        assert seen.layer == "backbone/conv"
        np.testing.assert_array_equal(seen.kernels, plain.get_layer("conv").kernel.numpy())


def test_each_filter_of_a_depthwise_convolution_makes_the_channel_of_its_number():
    layer = LAYERS.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")
    model = keras.Sequential([keras.Input((3, 3, 3)), layer])
    seen = filters(model)
    assert seen.kernels.shape == (3, 3, 1, 6) and not seen.is_rgb
    batch = images(1, 3).astype("float32")
    given = model(batch).numpy()[0, 0, 0]
    for number in range(6):
        alone = np.vdot(batch[0, :, :, number // 2], seen.kernels[:, :, 0, number])
        np.testing.assert_allclose(given[number], alone, rtol=1e-4, atol=1e-3)


def twins():
    image = keras.Input((8, 8, 3))
    parts = [
        keras.Sequential([keras.Input((8, 8, 3)), LAYERS.Conv2D(2, 3, name="conv")], name=name)
        for name in ("left", "right")
    ]
    return keras.Model(image, LAYERS.Add()([part(image) for part in parts]))


def without_convolutions():
    return keras.Sequential([keras.Input((8, 8, 3)), LAYERS.Flatten(), LAYERS.Dense(2)])


@pytest.mark.parametrize(
    ("model", "layer", "message"),
    [
        (two_convolutions, "frist", r"Unknown convolution 'frist'. Did you mean 'first'\?"),
        (two_convolutions, "rescaling", "Known: first, second"),
        (twins, "conv", "called 'conv'. Name one: left/conv, right/conv"),
        (without_convolutions, None, "has none of the layers Conv2D"),
        (lambda: "model.keras", None, "needs a Keras 3 model"),
    ],
)
def test_what_has_no_such_filters_is_refused(model, layer, message):
    with pytest.raises(ValueError, match=message):
        filters(model(), layer=layer)


def test_rgb_filters_are_color_pictures_with_gray_for_zero():
    kernels = np.random.default_rng(0).normal(size=(5, 3, 3, 10)).astype("float32")
    kernels[..., 4] = 0
    figure = Filters(kernels, "conv").plot()
    assert figure._suptitle.get_text() == "conv: 10 filters of 5 x 3 x 3"
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 10 and not any(axes.axison for axes in figure.axes)
    for number, axes in enumerate(drawn):
        peak = np.abs(kernels[..., number]).max() or 1
        expected = 0.5 + kernels[..., number] / peak / 2
        np.testing.assert_allclose(axes.images[0].get_array(), expected, atol=0.003)
        assert axes.get_title().startswith(f"{number}: ")
    assert drawn[4].get_title() == "4: zero"
    some = Filters(kernels, "conv").plot(filters=3)
    assert len([axes for axes in some.axes if axes.images]) == 3
    assert some._suptitle.get_text().endswith(", the first 3 of them")


def test_deeper_filters_are_drawn_by_channel_on_one_scale():
    kernels = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype("float32")
    (axes, bar) = Filters(kernels, "conv").plot(channels=3).axes
    mosaic, peak = axes.images[0].get_array().filled(np.nan), np.abs(kernels[:, :, :3]).max()
    assert mosaic.shape == (3 * 4 - 1, 5 * 3 - 1)
    for channel in range(3):
        for number in range(5):
            top, left = 4 * channel, 3 * number
            tile = mosaic[top : top + 3, left : left + 2]
            np.testing.assert_array_equal(tile, kernels[:, :, channel, number])
    assert np.isnan(mosaic).sum() == mosaic.size - 3 * 5 * 6
    np.testing.assert_allclose(axes.images[0].get_clim(), (-peak, peak))
    assert axes.get_ylabel() == "input channel (of 4)" and bar.get_ylabel() == "weight"
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        Filters(kernels, "conv").plot(filters=0)


def test_pictures_of_filters_are_written_whole_or_not_at_all(tmp_path):
    for name, layer in (("rgb.png", "first"), ("deep.png", "second")):
        filters(two_convolutions(), layer=layer).save(tmp_path / name)
        assert imread(tmp_path / name).shape[1] > 300
    with pytest.raises(ValueError, match="Unknown kind of picture"):
        filters(two_convolutions()).save(tmp_path / "filters.words")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["deep.png", "rgb.png"]


# The vertical edge filter


def step(left, right, size=8):
    image = np.full((size, size), right, "uint8")
    image[:, : size // 2] = left
    return image


def test_the_sign_tells_which_side_is_brighter():
    falling, rising = edge_response(step(200, 50)), edge_response(step(50, 200))
    expected = np.zeros((6, 6))
    expected[:, 2:4] = 3 * (200 - 50)
    np.testing.assert_array_equal(falling, expected)
    np.testing.assert_array_equal(rising, -expected)
    assert falling.dtype == np.float32
    np.testing.assert_array_equal(edge_response(step(255, 0)).max(), 765)


def test_horizontal_edges_and_plain_areas_give_nothing():
    assert not edge_response(step(200, 50).T).any()
    assert not edge_response(np.full((5, 5), 9)).any()


def test_the_answer_is_that_of_keras_own_convolution():
    image = images(1, 9)[0, ..., :1]
    layer = LAYERS.Conv2D(1, 3, use_bias=False)
    layer.build((None, 9, 9, 1))
    layer.set_weights([np.array(VERTICAL_EDGE, "float32")[..., None, None]])
    expected = layer(image[None].astype("float32")).numpy()[0, ..., 0]
    np.testing.assert_array_equal(edge_response(image), expected)
    np.testing.assert_array_equal(edge_response(image[..., 0]), expected)


def test_the_answer_is_what_two_loops_compute():
    image = images(1, 9)[0, :7]
    gray = image @ np.array([0.299, 0.587, 0.114])
    expected = np.zeros((5, 7))
    for y in range(5):
        for x in range(7):
            expected[y, x] = gray[y : y + 3, x].sum() - gray[y : y + 3, x + 2].sum()
    np.testing.assert_allclose(edge_response(image), expected, rtol=1e-5, atol=1e-3)
    mirrored = edge_response(image[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], -expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 8), (8, 8, 4), (1, 8, 8, 3), (8,)])
def test_what_is_no_image_has_no_edges(shape):
    with pytest.raises(ValueError, match=r"Expected an image \[H, W\]"):
        edge_response(np.zeros(shape))


@pytest.mark.parametrize("image", [step(200, 50), step(200, 50)[..., None], images(1)[0]])
def test_image_filter_and_signed_answer_are_drawn(image):
    left, middle, right, bar = plot_edge_response(image).axes
    assert left.images[0].get_array().shape[:2] == image.shape[:2]
    assert [text.get_text() for text in middle.texts] == ["1", "0", "-1"] * 3
    response = edge_response(image)
    np.testing.assert_array_equal(right.images[0].get_array(), response)
    low, high = right.images[0].get_clim()
    assert -low == high == np.abs(response).max()
    red, _, blue, _ = right.images[0].cmap(1.0)
    assert red > blue and bar.get_ylabel() == "blue: right brighter, red: left brighter"
    with pytest.raises(ValueError, match="0-255"):
        plot_edge_response(image * -1.0)
