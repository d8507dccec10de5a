/**
 * The page: puts its parts together.
 *
 * In: the model beside the page, what the visitor drops, picks, pastes or shows the camera. Out:
 * the page. Never sends anything: its only requests are for files of its own host.
 */

import {setUpCamera} from './camera.js';
import {MODEL_URL, NoModel, fetchCard, modelOf} from './card.js';
import * as device from './device.js';
import {backendsHere, createEngine, use} from './engine.js';
import {BACKEND_NAMES, computerName, megabytes, tiny} from './format.js';
import {add, again, clear, createGallery} from './gallery.js';
import {agrees, checkGolden} from './golden.js';
import {decode} from './photos.js';
import {element} from './results.js';
import {announce, byId, downloadProgress, notice, problem, setState} from './status.js';

const MAX_PHOTOS_AT_ONCE = 12;

async function main() {
  byId('max-photos').textContent = String(MAX_PHOTOS_AT_ONCE);
  const card = await fetchCard();
  device.showFacts(card);
  showReportLink();
  const backends = await backendsHere(Boolean(card.litert));
  const chosen = device.choose(backends);
  if (!chosen)
    throw new Error('This browser has no WebGPU, no WebGL and no WebAssembly with SIMD.');
  if (chosen.refused) notice(`“${chosen.refused}” cannot be had here.`);

  const engine = createEngine(
    modelFiles(card, backends),
    (classify) => verify(classify, card),
    listener(card, setUpTools, () => change('wasm')),
    chosen.name,
  );
  const gallery = createGallery(engine, card);
  function setUpTools() {
    device.setUpCheck(engine, gallery, card);
    device.setUpMeasure(engine, gallery, card);
  }
  /** @param {import('./backends.js').Name} name */
  function change(name) {
    setState('loading');
    use(engine, name);
    again(gallery);
  }
  device.setUpBackends(backends, change);
  setUpIntake(gallery);
  use(engine, engine.backend);
}

/**
 * @param {import('./card.js').Card} card
 * @param {import('./backends.js').Backend[]} backends
 * @returns {import('./worker.js').Model}
 */
function modelFiles({model, litert, alignment}, backends) {
  /** @param {string} file */
  const urlOf = (file) => new URL(file, MODEL_URL).href;
  const isUsable = backends.some(({name, isAvailable}) => name === 'litert' && isAvailable);
  const liteRt = litert && isUsable ? {url: urlOf(litert.file), digest: litert.digest} : undefined;
  return {url: urlOf(model.file), digest: model.digest, alignment, liteRt};
}

/**
 * Fail if LiteRT.js does not agree with Keras here.
 * @param {import('./golden.js').Classify} classify
 * @param {import('./card.js').Card} card
 */
async function verify(classify, card) {
  const check = await checkGolden(classify, card);
  if (!agrees(check, modelOf(card, 'litert').tolerance)) {
    throw new Error(`its probabilities are up to ${tiny(check.maxDifference)} from Keras’`);
  }
}

/**
 * What the page says of the engine.
 * @param {import('./card.js').Card} card
 * @param {() => void} firstReady called once
 * @param {() => void} retry called when the visitor wants to try again
 * @returns {import('./engine.js').Listener}
 */
function listener(card, firstReady, retry) {
  let isFirst = true;
  const showProgress = downloadProgress();
  return {
    loading: (numBytes, backend) => showProgress(numBytes, modelOf(card, backend).num_bytes),
    ready(backend, loaded) {
      const size = `${megabytes(modelOf(card, backend).num_bytes)} MB`;
      device.showBackend(card, backend, loaded);
      setState('ready');
      problem();
      announce(`The model is ready, on ${computerName({backend, ...loaded})}.`);
      if (!loaded.isKept)
        notice(`This browser keeps no copy of the model: each visit loads ${size}.`);
      if (isFirst) firstReady();
      isFirst = false;
    },
    fellBack(from, to, reason) {
      const other = from === 'litert' ? 'TensorFlow.js' : BACKEND_NAMES[to];
      notice(`${BACKEND_NAMES[from]} failed (${reason}); ${other} computes instead.`);
    },
    failed: (reason) => showLoadFailure(reason, retry),
  };
}

/**
 * Picker, drop, paste and camera, all into the gallery.
 * @param {import('./gallery.js').Gallery} gallery
 */
function setUpIntake(gallery) {
  /** @param {FileList} files */
  const take = (files) => {
    const taken = [...files].slice(0, MAX_PHOTOS_AT_ONCE);
    for (const file of taken) add(gallery, file.name || 'Pasted picture', () => decode(file));
    if (files.length > taken.length) {
      notice(
        `Of ${files.length} files the first ${taken.length} are taken; add the others after them.`,
      );
    }
  };
  const picker = byId('files');
  picker.disabled = byId('camera-open').disabled = false;
  picker.addEventListener('change', () => {
    if (picker.files) take(picker.files);
    picker.value = ''; // the same file may be chosen again
  });
  addEventListener('paste', ({clipboardData}) => clipboardData && take(clipboardData.files));
  setUpDrop(take);
  let numTaken = 0;
  setUpCamera((photo) => add(gallery, `Camera picture ${++numTaken}`, async () => photo));
  byId('clear').addEventListener('click', () => clear(gallery));
}

/**
 * The whole page takes what is dropped.
 * @param {(files: FileList) => void} take
 */
function setUpDrop(take) {
  /** @param {DragEvent} event */
  const filesOf = ({dataTransfer}) =>
    dataTransfer?.types.includes('Files') ? dataTransfer.files : null;
  /** @param {boolean} isOver */
  const mark = (isOver) => byId('drop').classList.toggle('over', isOver);
  addEventListener('dragover', (event) => {
    if (!filesOf(event)) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', ({relatedTarget}) => relatedTarget || mark(false));
  addEventListener('drop', (event) => {
    const files = filesOf(event);
    if (!files) return;
    event.preventDefault();
    mark(false);
    take(files);
  });
}

async function showReportLink() {
  const link = byId('report-link');
  const response = await fetch(link.href, {method: 'HEAD'}).catch(() => null);
  const isPage = response?.headers.get('content-type')?.includes('html'); // a host's own 404 page
  link.hidden = !response?.ok || Boolean(isPage);
}

/**
 * @param {string} reason
 * @param {() => void} retry
 */
function showLoadFailure(reason, retry) {
  setState('failed');
  const button = element('button', {type: 'button'}, 'Try again');
  button.addEventListener('click', retry);
  problem(element('h2', {}, 'The model could not be loaded'), element('p', {}, reason), button);
}

main().catch((error) => {
  if (error instanceof NoModel) {
    setState('missing');
    /** @param {string} text */
    const code = (text) => element('code', {}, text);
    problem(
      element('h2', {}, 'There is no model here yet'),
      element(
        'p',
        {},
        'Train and export one with ',
        code('gfr run'),
        ', then show it with ',
        code('gfr serve'),
        '.',
      ),
    );
    return;
  }
  setState('failed');
  problem(element('h2', {}, 'This page cannot start'), element('p', {}, error.message));
});
