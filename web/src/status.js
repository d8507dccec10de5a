/**
 * What the page says of itself: progress, notices, problems, announcements for screen readers.
 *
 * In: numbers and sentences. Out: elements of the page. Never decides anything.
 */

import {megabytes} from './format.js';
import {element} from './results.js';

const ANNOUNCED_STEP = 0.25; // of the download: a screen reader need not hear each per cent

/**
 * @typedef {{
 *   'backends': HTMLFieldSetElement, 'camera-close': HTMLButtonElement,
 *   'camera-open': HTMLButtonElement, 'camera-take': HTMLButtonElement,
 *   'check': HTMLButtonElement, 'files': HTMLInputElement, 'loading-bar': HTMLProgressElement,
 *   'measure': HTMLButtonElement, 'report-link': HTMLAnchorElement, 'video': HTMLVideoElement,
 * } & Record<`backend-${import('./backends.js').Name}`, HTMLInputElement>} Elements
 *   elements of the page by id, where HTMLElement says too little
 */

/**
 * Return an element that index.html or device.js gives this id.
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof Elements ? Elements[Id] : HTMLElement}
 */
export function byId(id) {
  return /** @type {any} */ (document.getElementById(id));
}

/** @param {'loading' | 'ready' | 'missing' | 'failed'} state */
export function setState(state) {
  document.body.dataset.state = state;
  byId('loading').hidden = state !== 'loading';
}

/** @param {string} sentence */
export function announce(sentence) {
  byId('announcements').textContent = sentence;
}

/** @param {string} sentence */
export function notice(sentence) {
  const isThere = [...byId('notices').children].some((item) => item.textContent === sentence);
  if (!isThere) byId('notices').append(element('li', {}, sentence));
}

/**
 * A problem that stops everything, with what to do about it.
 * @param {...(Node | string)} children nothing if it is over
 */
export function problem(...children) {
  const panel = byId('problem');
  panel.replaceChildren(...children);
  panel.hidden = children.length === 0;
}

/** @returns {(numBytes: number, total: number) => void} shows how many of so many bytes came */
export function downloadProgress() {
  let announced = 0;
  const bar = byId('loading-bar');
  return (numBytes, total) => {
    bar.max = total;
    const shown = Math.min(numBytes, total);
    const isDone = numBytes >= total;
    if (isDone) bar.removeAttribute('value');
    else bar.value = shown;
    byId('loading-text').textContent = isDone
      ? 'Preparing…'
      : `${megabytes(shown)} of ${megabytes(total)} MB`;
    const step = Math.floor(shown / total / ANNOUNCED_STEP);
    if (step > announced && !isDone)
      announce(`Loading the model: ${step * ANNOUNCED_STEP * 100} %`);
    announced = Math.max(announced, step);
  };
}
