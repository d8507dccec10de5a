/**
 * The results as people see them.
 *
 * In: photos, faces, probabilities, the card. Out: elements of the page, with exact figures in data
 * attributes for tests. Never computes a probability, never states one as a fact on a person.
 *
 * @typedef {import('./card.js').Card} Card
 * @typedef {import('./worker.js').Found} Found
 * @typedef {ReturnType<typeof photoFrame>} PhotoFrame
 * @typedef {ReturnType<typeof faceItem>} FaceItem
 */

import {verdict} from './card.js';
import {computerName, counted, duration, likelihood} from './format.js';
import {contextOf} from './photos.js';

const THUMBNAIL_PX = 480; // of its longer side; it is shown smaller, for sharp screens

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | undefined>} attributes
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * The frame of one photo, before anything is known of it.
 * @param {string} name of the file
 * @param {() => void} remove called when it is to go away
 */
export function photoFrame(name, remove) {
  const close = element(
    'button',
    {type: 'button', class: 'quiet', 'aria-label': `Remove ${name}`},
    '×',
  );
  close.addEventListener('click', remove);
  const detail = element('p', {class: 'detail'}, 'Waiting…');
  const title = element('h3', {title: name}, name);
  const body = element('div', {class: 'photo-body'});
  const frame = element('article', {class: 'photo', 'data-file': name, 'data-state': 'waiting'});
  frame.append(element('header', {}, element('div', {}, title, detail), close), body);
  frame.setAttribute('aria-label', name);
  return {frame, detail, body};
}

/**
 * What kept a photo from being read.
 * @param {PhotoFrame} shown
 * @param {string} message
 */
export function showProblem({frame, detail, body}, message) {
  frame.dataset.state = 'problem';
  detail.hidden = true;
  body.replaceChildren(element('p', {class: 'problem'}, message));
}

/**
 * The photo, small, its faces marked.
 * @param {import('./resample.js').Picture} picture
 */
export function thumbnail({data, width, height}) {
  const whole = element('canvas', {width, height});
  contextOf(whole).putImageData(new ImageData(data, width, height), 0, 0);
  const shrink = Math.max(1, Math.max(width, height) / THUMBNAIL_PX);
  const size = {width: Math.round(width / shrink), height: Math.round(height / shrink)};
  const canvas = element('canvas', {
    ...size,
    class: 'thumbnail',
    role: 'img',
    'aria-label': 'The photo',
  });
  const context = contextOf(canvas);
  context.imageSmoothingQuality = 'high';
  context.drawImage(whole, 0, 0, size.width, size.height);
  return {canvas, shrink};
}

/**
 * Draw a numbered square around each face.
 * @param {ReturnType<typeof thumbnail>} photo
 * @param {import('./detector.js').Face[]} faces
 */
export function markFaces({canvas, shrink}, faces) {
  const context = contextOf(canvas);
  context.font = '600 20px system-ui, sans-serif';
  context.textBaseline = 'top';
  faces.forEach(({centre, side}, i) => {
    const [x, y, size] = [centre[0] - side / 2, centre[1] - side / 2, side].map(
      (px) => px / shrink,
    );
    for (const [colour, lineWidth] of [
      ['#0009', 6],
      ['#fff', 3],
    ]) {
      Object.assign(context, {strokeStyle: colour, lineWidth});
      context.strokeRect(x, y, size, size);
    }
    if (faces.length < 2) return;
    const number = String(i + 1);
    const wide = context.measureText(number).width + 12;
    context.fillStyle = '#000c';
    context.fillRect(x, y, wide, 27);
    context.fillStyle = '#fff';
    context.fillText(number, x + 6, y + 4);
  });
  canvas.setAttribute('aria-label', `The photo, ${counted(faces.length, 'face', 'faces')} marked`);
}

/**
 * Sentence on what was found in a photo.
 * @param {Found} found
 * @param {Card} card
 */
export function foundText({kind, parts, seconds, isCut}, {alignment}) {
  if (kind === 'aligned') {
    return `${alignment.width} × ${alignment.height} pixels: taken as already aligned.`;
  }
  if (kind === 'whole') return 'No face found: the whole picture is classified.';
  const more = isCut ? ' More places look like faces, but not all of them were examined.' : '';
  return `${counted(parts.length, 'face', 'faces')} found in ${duration(seconds)}.${more}`;
}

/**
 * One face (or whole picture) that waits for its answer.
 * @param {Found['parts'][number]} part
 * @param {Found['kind']} kind
 * @param {string} name of the photo
 */
export function faceItem({pixels, face}, kind, name) {
  const item = element('li', {class: 'face', 'data-kind': kind, 'data-state': 'working'});
  if (face) {
    item.dataset.points = JSON.stringify(face.points);
    item.dataset.score = String(face.score);
  }
  const answer = element('div', {class: 'answer'}, element('p', {class: 'detail'}, 'Classifying…'));
  item.append(crop(pixels, name), answer);
  return {item, answer};
}

/**
 * The pixels that the model sees.
 * @param {import('./resample.js').Rgb} pixels
 * @param {string} name of the photo
 */
function crop({data, width, height}, name) {
  const label = `${name}, as the model sees it`;
  const canvas = element('canvas', {
    width,
    height,
    class: 'crop',
    role: 'img',
    'aria-label': label,
  });
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    image.data.set([data[from], data[from + 1], data[from + 2], 255], to);
  }
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {FaceItem} shown
 * @param {{pMale: number, seconds: number}} result
 * @param {import('./engine.js').Engine} engine that computed it
 * @param {Card} card
 * @returns {string} the answer as a sentence
 */
export function showAnswer({item, answer}, {pMale, seconds}, engine, card) {
  const {label, share, isUncertain} = verdict(pMale, card);
  const sentence = isUncertain
    ? `Uncertain: ${likelihood(share)} ${label}`
    : `${label}, ${likelihood(share)}`;
  Object.assign(item.dataset, {
    state: 'done',
    pMale,
    seconds,
    backend: engine.backend,
    label,
    uncertain: isUncertain,
  });
  const headline = element('p', {class: 'headline'});
  if (isUncertain)
    headline.append(element('strong', {}, 'Uncertain'), ` ${likelihood(share)} ${label}`);
  else headline.append(element('strong', {}, label), ` ${likelihood(share)}`);
  const detail = element('p', {class: 'detail'}, `${duration(seconds)} on ${computerName(engine)}`);
  answer.replaceChildren(headline, bar(pMale, card), detail);
  return sentence;
}

/**
 * @param {FaceItem} shown
 * @param {string} message
 */
export function showFailure({item, answer}, message) {
  item.dataset.state = 'problem';
  answer.replaceChildren(element('p', {class: 'problem'}, `Could not be classified: ${message}`));
}

/**
 * A scale from one label to the other, the uncertain middle hatched, the answer marked.
 * @param {number} pMale 0..1
 * @param {Card} card
 */
function bar(pMale, {output}) {
  const scale = element('div', {class: 'scale', role: 'img'});
  scale.setAttribute(
    'aria-label',
    `${likelihood(pMale)} ${output.positive}, ${likelihood(1 - pMale)} ${output.negative}`,
  );
  const [low, high] = output.uncertain;
  for (const [name, share] of Object.entries({'--p': pMale, '--low': low, '--high': high})) {
    scale.style.setProperty(name, String(share));
  }
  scale.append(element('span', {class: 'middle'}), element('span', {class: 'mark'}));
  const ends = element('p', {class: 'ends', 'aria-hidden': 'true'});
  ends.append(element('span', {}, output.negative), element('span', {}, output.positive));
  return element('div', {class: 'bar'}, scale, ends);
}
