/**
 * The photos on the page and their way from file to answer, one after the other.
 *
 * In: functions that read a photo; an engine. Out: results on the page. A photo that fails leaves
 * the others alone. Never keeps a photo's pixels once its faces are cut out, so that many fit.
 *
 * @typedef {{name: string, read: () => Promise<import('./photos.js').Photo>,
 *   shown: ReturnType<typeof photoFrame>, isRemoved: boolean, items: Item[]}} Entry
 * @typedef {{pixels: import('./resample.js').Rgb, shown: ReturnType<typeof faceItem>}} Item
 */

import {PhotoProblem} from './photos.js';
import {
  element,
  faceItem,
  foundText,
  markFaces,
  photoFrame,
  showAnswer,
  showFailure,
  showProblem,
  thumbnail,
} from './results.js';
import {announce, byId, notice} from './status.js';

/**
 * @param {ReturnType<typeof import('./engine.js').createEngine>} engine
 * @param {import('./card.js').Card} card
 */
export function createGallery(engine, card) {
  /** @type {Set<Entry>} */
  const entries = new Set();
  const list = byId('photos');
  let queue = Promise.resolve();
  let numPending = 0;

  function enqueue(job) {
    list.dataset.pending = ++numPending;
    queue = queue
      .then(job)
      .catch((error) => notice(`This went wrong: ${error.message}`))
      .finally(() => (list.dataset.pending = --numPending));
    return queue;
  }

  function add(name, read) {
    const entry = {name, read, isRemoved: false, items: []};
    entry.shown = photoFrame(name, () => remove(entry));
    entries.add(entry);
    list.append(entry.shown.frame);
    byId('results').hidden = false;
    enqueue(() => process(entry));
  }

  function remove(entry) {
    const {frame} = entry.shown;
    const next = frame.nextElementSibling ?? frame.previousElementSibling;
    entry.isRemoved = true;
    entries.delete(entry);
    frame.remove();
    byId('results').hidden = entries.size === 0;
    (next?.querySelector('button') ?? byId('files')).focus();
  }

  async function process(entry) {
    if (entry.isRemoved) return;
    const {detail, body} = entry.shown;
    body.replaceChildren();
    try {
      const {picture, remarks} = await entry.read();
      Object.assign(detail, {hidden: false, textContent: 'Looking for faces…'});
      const small = thumbnail(picture);
      const found = await engine.call('find', {picture, alignment: card.alignment});
      showFound(entry, found, remarks, small);
      entry.read = null;
    } catch (error) {
      if (error instanceof PhotoProblem) entry.read = null; // reading it again would not help
      const message =
        error instanceof PhotoProblem ? error.message : `This went wrong: ${error.message}`;
      showProblem(entry.shown, message);
      announce(`${entry.name}: ${message}`);
      return;
    }
    await classifyAll(entry);
  }

  function showFound(entry, found, remarks, small) {
    const {frame, detail, body} = entry.shown;
    frame.dataset.kind = found.kind;
    detail.textContent = [foundText(found, card), ...remarks].join(' ');
    const faces = element('ol', {class: 'faces'});
    for (const {pixels, face} of found.parts) {
      const shown = faceItem({pixels, face}, found.kind, entry.name);
      entry.items.push({pixels, shown});
      faces.append(shown.item);
    }
    if (found.kind === 'faces') {
      markFaces(
        small,
        found.parts.map(({face}) => face),
      );
      body.append(small.canvas);
    }
    body.append(faces);
  }

  async function classifyAll(entry) {
    entry.shown.frame.dataset.state = 'working';
    const sentences = [];
    for (const {pixels, shown} of entry.items) {
      if (entry.isRemoved) return;
      try {
        const {pMale, seconds} = await engine.call('classify', {pixels});
        sentences.push(showAnswer(shown, {pMale, seconds, backend: engine.backend()}, card));
      } catch (error) {
        showFailure(shown, error.message);
        sentences.push('could not be classified');
      }
    }
    entry.shown.frame.dataset.state = 'done';
    announce(`${entry.name}: ${sentences.join('; ')}`);
  }

  return {
    add,
    clear() {
      for (const entry of [...entries]) remove(entry);
      byId('files').focus();
    },
    /** Classify what is on the page again, on the backend there is now. */
    again() {
      for (const entry of entries) {
        const {state} = entry.shown.frame.dataset;
        if (entry.items.length) enqueue(() => classifyAll(entry));
        else if (entry.read && state === 'problem') enqueue(() => process(entry));
      }
    },
    /** Do something once all photos so far are through. */
    after: enqueue,
  };
}
