/**
 * The photos on the page and their way from file to answer, one after the other.
 *
 * In: functions that read a photo; an engine. Out: results on the page. A photo that fails leaves
 * the others alone. Never keeps a photo's pixels once its faces are cut out, so that many fit.
 *
 * @typedef {import('./worker.js').Found} Found
 * @typedef {{pixels: import('./resample.js').Rgb, shown: import('./results.js').FaceItem}} Item
 * @typedef {{
 *   name: string, read: (() => Promise<import('./photos.js').Photo>) | null,
 *   shown: import('./results.js').PhotoFrame, isRemoved: boolean, items: Item[],
 * }} Entry `read` is null once it has done its work, or never will
 * @typedef {{
 *   engine: import('./engine.js').Engine, card: import('./card.js').Card, entries: Set<Entry>,
 *   queue: Promise<void>, numPending: number,
 * }} Gallery
 */

import {call} from './engine.js';
import {messageOf} from './errors.js';
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
 * @param {Gallery['engine']} engine
 * @param {Gallery['card']} card
 * @returns {Gallery}
 */
export function createGallery(engine, card) {
  return {engine, card, entries: new Set(), queue: Promise.resolve(), numPending: 0};
}

/**
 * Take one photo.
 * @param {Gallery} gallery
 * @param {string} name
 * @param {Entry['read']} read
 */
export function add(gallery, name, read) {
  const shown = photoFrame(name, () => remove(gallery, entry));
  /** @type {Entry} */
  const entry = {name, read, shown, isRemoved: false, items: []};
  gallery.entries.add(entry);
  byId('photos').append(shown.frame);
  byId('results').hidden = false;
  enqueue(gallery, () => process(gallery, entry));
}

/**
 * Take all photos away.
 * @param {Gallery} gallery
 */
export function clear(gallery) {
  for (const entry of [...gallery.entries]) remove(gallery, entry);
  byId('files').focus();
}

/**
 * Classify what is on the page again, on the backend there is now.
 * @param {Gallery} gallery
 */
export function again(gallery) {
  for (const entry of gallery.entries) {
    const {state} = entry.shown.frame.dataset;
    if (entry.items.length) enqueue(gallery, () => classifyAll(gallery, entry));
    else if (entry.read && state === 'problem') enqueue(gallery, () => process(gallery, entry));
  }
}

/**
 * Do something once all that came before is through.
 * @param {Gallery} gallery
 * @param {() => Promise<void>} job
 */
export function enqueue(gallery, job) {
  /** @param {number} num */
  const count = (num) => {
    gallery.numPending += num;
    byId('photos').dataset.pending = String(gallery.numPending);
  };
  count(1);
  gallery.queue = gallery.queue
    .then(job)
    .catch((error) => notice(`This went wrong: ${messageOf(error)}`))
    .finally(() => count(-1));
}

/** @param {Gallery} gallery @param {Entry} entry */
function remove(gallery, entry) {
  const {frame} = entry.shown;
  const next = frame.nextElementSibling ?? frame.previousElementSibling;
  entry.isRemoved = true;
  gallery.entries.delete(entry);
  frame.remove();
  byId('results').hidden = gallery.entries.size === 0;
  /** @type {HTMLElement} */
  const target = next?.querySelector('button') ?? byId('files');
  target.focus();
}

/** @param {Gallery} gallery @param {Entry} entry */
async function process(gallery, entry) {
  const {read} = entry;
  if (entry.isRemoved || !read) return; // a second change of backend may ask twice
  const {detail, body} = entry.shown;
  body.replaceChildren();
  Object.assign(detail, {hidden: false, textContent: 'Looking for faces…'});
  try {
    const {picture, remarks} = await read();
    const small = thumbnail(picture);
    const {alignment} = gallery.card;
    const found = await call(gallery.engine, 'find', {picture, alignment});
    entry.read = null;
    showFound(gallery, entry, found, remarks, small);
  } catch (error) {
    const isFinal = error instanceof PhotoProblem; // reading it again would not help
    if (isFinal) entry.read = null;
    const message = isFinal ? error.message : `This went wrong: ${messageOf(error)}`;
    showProblem(entry.shown, message);
    announce(`${entry.name}: ${message}`);
    return;
  }
  await classifyAll(gallery, entry);
}

/**
 * @param {Gallery} gallery
 * @param {Entry} entry
 * @param {Found} found
 * @param {string[]} remarks
 * @param {ReturnType<typeof thumbnail>} small
 */
function showFound({card}, entry, found, remarks, small) {
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
      found.parts.flatMap(({face}) => face ?? []),
    );
    body.append(small.canvas);
  }
  body.append(faces);
}

/** @param {Gallery} gallery @param {Entry} entry */
async function classifyAll({engine, card}, entry) {
  entry.shown.frame.dataset.state = 'working';
  const sentences = [];
  for (const {pixels, shown} of entry.items) {
    if (entry.isRemoved) return;
    try {
      const result = await call(engine, 'classify', {pixels});
      sentences.push(showAnswer(shown, result, engine, card));
    } catch (error) {
      showFailure(shown, messageOf(error));
      sentences.push('could not be classified');
    }
  }
  entry.shown.frame.dataset.state = 'done';
  announce(`${entry.name}: ${sentences.join('; ')}`);
}
