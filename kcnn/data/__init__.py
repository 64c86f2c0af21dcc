"""Images and labels as plain `tf.data.Dataset`: where they come from, split, augmented, batched.

To be read in this order: `labelled` and `examples` are how images and labels are held, for NumPy
and for TensorFlow; `opened` is what every source returns; `digits`, `folder`, `array_file` and
`tfds_source` are the sources, `sources` finds one by its name; `splits` divides their examples, by
`folds` and `groups`; `augment` changes whole batches of images and `mixing` mixes them, labels too;
`feed` makes the batches, as `sampling` says; `loading` puts it all together in `load`. `arrays`
loads without TensorFlow, and `jax_data` and `jax_augment` feed those arrays to a training on JAX.
"""

import lazy_loader

# Lazy, so that asking for names does not load TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
