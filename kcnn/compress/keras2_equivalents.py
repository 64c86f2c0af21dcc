"""Which layers, options and activations compute the same in Keras 3 and in Keras 2."""

_CONV = (
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "activation",
    "use_bias",
)
_POOL = ("pool_size", "strides", "padding", "data_format")

# Layer class -> the options that are copied. tests/test_compress.py proves each class exact.
EQUIVALENT_OPTIONS = {
    **dict.fromkeys(("Add", "Average", "Maximum", "Multiply", "Subtract"), ()),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), (*_CONV, "filters", "groups")),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"), _POOL),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "MaxPooling3D"), _POOL),
    "Activation": ("activation",),
    "AlphaDropout": ("rate", "noise_shape"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Concatenate": ("axis",),
    "Cropping1D": ("cropping",),
    "Cropping2D": ("cropping", "data_format"),
    "Cropping3D": ("cropping", "data_format"),
    "Dense": ("units", "activation", "use_bias"),
    "DepthwiseConv2D": (*_CONV, "depth_multiplier"),
    "Dropout": ("rate", "noise_shape"),
    "ELU": ("alpha",),
    "Flatten": ("data_format",),
    "GlobalAveragePooling1D": ("data_format", "keepdims"),
    "GlobalAveragePooling2D": ("data_format", "keepdims"),
    "GlobalAveragePooling3D": ("data_format", "keepdims"),
    "GlobalMaxPooling1D": ("data_format", "keepdims"),
    "GlobalMaxPooling2D": ("data_format", "keepdims"),
    "GlobalMaxPooling3D": ("data_format", "keepdims"),
    "LayerNormalization": ("axis", "epsilon", "center", "scale"),
    "LeakyReLU": ("negative_slope",),
    "LocalResponseNormalization": ("depth_radius", "bias", "alpha", "beta"),
    "Normalization": ("axis", "mean", "variance", "invert"),
    "PReLU": ("shared_axes",),
    "PartiallyConnectedConv2D": ("connections", "kernel_size"),
    "Permute": ("dims",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": (*_CONV, "filters", "depth_multiplier"),
    "Softmax": ("axis",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate", "data_format"),
    "SpatialDropout3D": ("rate", "data_format"),
    "UpSampling2D": ("size", "data_format", "interpolation"),
    "ZeroPadding1D": ("padding",),
    "ZeroPadding2D": ("padding", "data_format"),
    "ZeroPadding3D": ("padding", "data_format"),
}

# `bridge/rebuild.py` defines hard_silu, which Keras 2 lacks, and hard_sigmoid, under which name it
# computes another function.
EQUIVALENT_ACTIVATIONS = frozenset(
    "elu exponential gelu hard_sigmoid hard_silu leaky_relu linear log_softmax mish relu relu6 "
    "selu sigmoid silu softmax softplus softsign tanh".split()
)

# The layers above that are also exact with data_format='channels_first'.
ANY_DATA_FORMAT = frozenset(
    {"Cropping2D", "Cropping3D", "Flatten", "ZeroPadding2D", "ZeroPadding3D"}
)

# (layer class, option) -> the option's name in Keras 2, where it differs.
RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
