/** The output of a classifier. */

/**
 * Return the only output of a model, checked.
 * @param {ArrayLike<number>} values
 */
export function probability(values) {
  const pMale = values[0];
  if (values.length !== 1 || !(pMale >= 0 && pMale <= 1)) {
    throw new Error(`the model gave ${Array.from(values).slice(0, 3)}, not one probability`);
  }
  return pMale;
}
