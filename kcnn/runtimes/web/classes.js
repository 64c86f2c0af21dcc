// The classes that a model predicts, from its outputs to rows of a list.

/** Return each class's probability from the stored numbers of a model's output. */
export function probabilities(stored, { scale, zero_point: zeroPoint, activation }) {
  const real = Array.from(stored, (each) => (scale === null ? each : scale * (each - zeroPoint)));
  if (real.length === 1) {  // of the second of two classes
    const share = activation === null ? real[0] : 1 / (1 + Math.exp(-real[0]));
    return [1 - share, share];
  }
  if (activation === null) return real;  // the model ends in a softmax or in sigmoids
  const largest = Math.max(...real);
  const shares = real.map((each) => Math.exp(each - largest));
  const sum = shares.reduce((total, share) => total + share);
  return shares.map((share) => share / sum);
}

/** Return {index, label, share} of the classes, the most likely one first. */
export function ranked(shares, labels) {
  return shares
    .map((share, index) => ({ index, share, label: labels[index] ?? `class ${index}` }))
    .sort((one, other) => other.share - one.share);
}

/**
 * Return {classes, predicted} of a model's output: all classes, the most likely one first, and those
 * that the model predicts: the first, or with a threshold those that reach it.
 */
export function read(stored, { output, labels, threshold }) {
  const shares = probabilities(stored, output);
  const classes = ranked(shares, labels);
  if (threshold === null) return { classes, predicted: classes.slice(0, 1) };
  const chosen = ({ index, share }) =>
    stored.length === 1 ? index === Number(shares[1] >= threshold) : share >= threshold;
  return { classes, predicted: classes.filter(chosen) };
}

export const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
