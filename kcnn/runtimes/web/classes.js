// The classes that a model predicts, from its outputs to rows of a list.

/** Return each class's probability from the stored numbers of a model's output. */
export function probabilities(stored, { scale, zero_point: zeroPoint, softmax }) {
  const real = Array.from(stored, (each) => (scale === null ? each : scale * (each - zeroPoint)));
  if (!softmax) return real;  // the model ends in a softmax or in sigmoids
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

export const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
