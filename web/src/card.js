/**
 * The model card: all that training fixed and the page must know.
 *
 * In: model/model_card.json beside the page. Out: the card, checked. Never fills in a value that
 * the card lacks.
 *
 * @typedef {{
 *   schema: number, title: string, notes: string[],
 *   model: {file: string, precision: string, num_bytes: number, num_parameters: number,
 *           digest: string, tolerance: number},
 *   litert?: {file: string, precision: string, num_bytes: number, digest: string,
 *             tolerance: number},
 *   output: {positive: string, negative: string, threshold: number, uncertain: [number, number]},
 *   alignment: import('./align.js').Alignment,
 *   metrics: {test?: {accuracy: number, accuracy_interval: [number, number], num_images: number,
 *                     majority_share: number}},
 * }} Card
 */

export const MODEL_URL = new URL('model/', document.baseURI);

/** There is no model beside the page. */
export class NoModel extends Error {}

/** @returns {Promise<Card>} */
export async function fetchCard() {
  const response = await fetch(new URL('model_card.json', MODEL_URL), {cache: 'no-cache'});
  if (response.status === 404) throw new NoModel();
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  const card = await response.json().catch(() => {
    throw new NoModel(); // hosts that answer every address with a page of theirs
  });
  check(card);
  return card;
}

/** @param {Card} card */
function check(card) {
  if (card.schema !== 1) throw new Error(`its schema is ${card.schema}, this page reads 1`);
  const {model, litert, output, alignment} = card;
  /** @type {Record<string, unknown>} */
  const needed = {
    'model.file': model?.file,
    'model.num_bytes': model?.num_bytes,
    'model.digest': model?.digest,
    'model.tolerance': model?.tolerance,
    'output.positive': output?.positive,
    'output.negative': output?.negative,
    'output.threshold': output?.threshold,
    'output.uncertain': output?.uncertain,
    'alignment.height': alignment?.height,
    'alignment.width': alignment?.width,
    'alignment.points': alignment?.points,
  };
  for (const name of /** @type {const} */ (['file', 'num_bytes', 'digest', 'tolerance'])) {
    if (litert) needed[`litert.${name}`] = litert[name];
  }
  const missing = Object.keys(needed).filter((name) => needed[name] == null);
  if (missing.length) throw new Error(`it lacks ${missing.join(', ')}`);
}

/**
 * The model that a backend computes with.
 * @param {Card} card
 * @param {import('./backends.js').Name} backend
 */
export function modelOf({model, litert}, backend) {
  return backend === 'litert' && litert ? litert : model;
}

/**
 * What the card's numbers make of a probability.
 * @param {number} pMale 0..1
 * @param {Card} card
 * @returns {{label: string, share: number, isUncertain: boolean}} the label, and how likely it is
 */
export function verdict(pMale, {output}) {
  const isPositive = pMale > output.threshold;
  const [low, high] = output.uncertain;
  return {
    label: isPositive ? output.positive : output.negative,
    share: isPositive ? pMale : 1 - pMale,
    isUncertain: pMale >= low && pMale <= high,
  };
}
