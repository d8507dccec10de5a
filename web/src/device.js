/**
 * The panel on model and device: facts, the choice of a backend, the check, the measurement.
 *
 * In: card, backends, engine. Out: elements of the page, `?backend=` in its address. Never chooses
 * software that poses as a graphics card.
 *
 * @typedef {import('./backends.js').Name} Name
 * @typedef {import('./backends.js').Backend} Backend
 * @typedef {import('./card.js').Card} Card
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./gallery.js').Gallery} Gallery
 */

import {modelOf} from './card.js';
import {call} from './engine.js';
import {messageOf} from './errors.js';
import {BACKEND_NAMES, computerName, counted, megabytes, percent, tiny} from './format.js';
import {enqueue} from './gallery.js';
import {agrees, checkGolden} from './golden.js';
import {measure} from './measure.js';
import {element} from './results.js';
import {byId} from './status.js';

const NUM_CALLS = 30;
const MAX_NUM_CALLS = 1000;

/** Beside names that say too little where the other one is offered too. */
const REMARKS = /** @type {Partial<Record<Name, string>>} */ ({
  litert: ' (WebAssembly)',
  wasm: ' (TensorFlow.js)',
});

/** @param {Card} card */
export function showFacts(card) {
  const {metrics} = card;
  /** @type {[string, ...(Node | string)[]][]} */
  const rows = [['Model', card.title]];
  if (metrics?.test) rows.push(['Right for', accuracyText(metrics.test), ...caveat(card)]);
  byId('facts').replaceChildren(
    ...rows.flatMap(([name, ...value]) => [element('dt', {}, name), element('dd', {}, ...value)]),
    element('dt', {}, 'Download'),
    element('dd', {id: 'fact-download'}, '…'),
    element('dt', {}, 'Computes on'),
    element('dd', {id: 'fact-backend'}, '…'),
  );
  for (const label of /** @type {const} */ (['positive', 'negative'])) {
    for (const place of document.querySelectorAll(`[data-card="${label}"]`)) {
      place.textContent = card.output[label];
    }
  }
  byId('notes').replaceChildren(...caveat(card));
}

/**
 * The card's notes, for every place where its model shows numbers; nothing if it has none.
 * @param {Card} card
 */
function caveat({notes}) {
  if (!notes?.length) return [];
  const title = element('strong', {}, 'About this model: ');
  return [element('p', {class: 'caveat'}, title, `${notes.join('; ')}.`)];
}

/** @param {NonNullable<Card['metrics']['test']>} test */
function accuracyText({
  accuracy,
  accuracy_interval: interval,
  num_images: num,
  majority_share: share,
}) {
  let text = `${percent(accuracy, 1)} of ${counted(num, 'test picture', 'test pictures')}`;
  if (interval) text += `, 95 % interval ${percent(interval[0], 1)} to ${percent(interval[1], 1)}`;
  if (share) text += `; always saying the more frequent word: ${percent(share, 1)}`;
  return text;
}

/**
 * The backend to begin with: the address's wish if it can be had, else the best.
 * @param {Backend[]} backends
 * @returns {{name: Name, refused: string | null} | null}
 */
export function choose(backends) {
  const wish = new URLSearchParams(location.search).get('backend');
  const best = backends.find(({isAvailable, isSoftware}) => isAvailable && !isSoftware);
  const wished = backends.find(({name, isAvailable}) => name === wish && isAvailable);
  const name = (wished ?? best)?.name;
  return name ? {name, refused: wish && !wished ? wish : null} : null;
}

/**
 * @param {Backend[]} backends
 * @param {(name: Name) => void} changed
 */
export function setUpBackends(backends, changed) {
  for (const {name, isAvailable, isSoftware} of backends) {
    const radio = element('input', {
      type: 'radio',
      name: 'backend',
      value: name,
      id: `backend-${name}`,
    });
    radio.disabled = !isAvailable;
    radio.addEventListener('change', () => {
      const url = new URL(location.href);
      url.searchParams.set('backend', name);
      history.replaceState(null, '', url);
      changed(name);
    });
    const label = element('label', {for: radio.id}, BACKEND_NAMES[name]);
    const remark = isAvailable
      ? isSoftware
        ? ' (in software: slow)'
        : backends.some((one) => one.name === 'litert') && REMARKS[name]
      : ' (not here)';
    if (remark) label.append(element('span', {class: 'detail'}, remark));
    byId('backends').append(element('div', {class: 'choice'}, radio, label));
  }
  byId('backends').disabled = false;
}

/**
 * @param {Card} card
 * @param {Name} backend
 * @param {import('./worker.js').Loaded} loaded
 */
export function showBackend(card, backend, {runtime, numThreads}) {
  document.body.dataset.backend = backend;
  const {num_bytes: numBytes, precision} = modelOf(card, backend);
  const {num_parameters: num} = card.model;
  const weights = num ? `, ${(num / 1e6).toPrecision(3)} million weights` : '';
  byId('fact-download').textContent = `${megabytes(numBytes)} MB, once${weights} (${precision})`;
  const place =
    backend === 'litert'
      ? `WebAssembly, ${counted(numThreads, 'thread', 'threads')}`
      : BACKEND_NAMES[backend];
  byId('fact-backend').textContent = `${place}, with ${runtime}`;
  byId(`backend-${backend}`).checked = true;
}

/**
 * Buttons that are off while they work, and say what went wrong.
 * @param {'check' | 'measure'} id
 * @param {Gallery} gallery
 * @param {(output: HTMLElement) => Promise<void>} work
 */
function setUpButton(id, gallery, work) {
  const [button, output] = [byId(id), byId(`${id}-result`)];
  const run = () => {
    button.disabled = true;
    output.textContent = 'Waiting for the photos…';
    enqueue(gallery, async () => {
      try {
        await work(output);
      } catch (error) {
        output.textContent = `This went wrong: ${messageOf(error)}`;
      }
      button.disabled = false;
    });
  };
  button.addEventListener('click', run);
  button.disabled = false;
  return run;
}

/** @param {Engine} engine @param {Gallery} gallery @param {Card} card */
export function setUpCheck(engine, gallery, card) {
  setUpButton('check', gallery, async (output) => {
    output.textContent = 'Classifying the pictures that came with the model…';
    const check = await checkGolden((pixels) => call(engine, 'classify', {pixels}), card);
    const {numImages, maxDifference, numOtherAnswers} = check;
    const isFine = agrees(check, modelOf(card, engine.backend).tolerance);
    const answers = numOtherAnswers
      ? counted(numOtherAnswers, 'other answer', 'other answers')
      : 'every answer the same';
    output.dataset.check = JSON.stringify({backend: engine.backend, ...check});
    output.textContent =
      `This device ${isFine ? 'agrees' : 'does not agree'} with Keras: ` +
      `${counted(numImages, 'picture', 'pictures')} on ${computerName(engine)}, ${answers}, ` +
      `probabilities at most ${tiny(maxDifference)} apart.`;
  });
}

/**
 * `?measure=N` measures by itself, once.
 * @param {Engine} engine
 * @param {Gallery} gallery
 * @param {Card} card
 */
export function setUpMeasure(engine, gallery, card) {
  const asked = Number(new URLSearchParams(location.search).get('measure'));
  const isAsked = Number.isInteger(asked) && asked > 0;
  const numCalls = isAsked ? Math.min(asked, MAX_NUM_CALLS) : NUM_CALLS;
  const run = setUpButton('measure', gallery, async (output) => {
    const measurement = await measure(engine, card.alignment, numCalls, (numDone) => {
      output.textContent = `${numDone} of ${numCalls}…`;
    });
    output.dataset.measurement = JSON.stringify(measurement);
    const {p50_ms: p50, p95_ms: p95} = measurement;
    output.textContent =
      `One picture on ${computerName(engine)}: half within ${p50.toFixed(0)} ms, ` +
      `95 % within ${p95.toFixed(0)} ms (${numCalls} calls, after a warm-up).`;
  });
  if (isAsked) run();
}
