/**
 * The camera: open, take a picture, close.
 *
 * In: the visitor's permission. Out: a Photo for each picture taken. Never records, never keeps the
 * camera on once its panel is closed or the page is left.
 *
 * @typedef {{stream: MediaStream | null}} Camera
 */

import {messageOf} from './errors.js';
import {capture} from './photos.js';
import {byId} from './status.js';

const WIDTH_PX = 1280; // asked for; the camera gives what it can

/** @type {Record<string, string>} by the name of the error */
const REASONS = {
  NotAllowedError:
    'The browser was not allowed to use the camera. Its address bar can change that.',
  NotFoundError: 'No camera was found.',
  NotReadableError: 'The camera is in use by another program.',
};

/** @param {(photo: import('./photos.js').Photo) => void} taken */
export function setUpCamera(taken) {
  /** @type {Camera} */
  const camera = {stream: null};
  byId('camera-open').addEventListener('click', () => open(camera));
  byId('camera-take').addEventListener('click', () => taken(capture(byId('video'))));
  byId('camera-close').addEventListener('click', () => close(camera));
  byId('camera').addEventListener('keydown', ({key}) => key === 'Escape' && close(camera));
  addEventListener('pagehide', () => close(camera));
}

/** @param {Camera} camera */
async function open(camera) {
  const [panel, video, take] = [byId('camera'), byId('video'), byId('camera-take')];
  panel.hidden = false;
  byId('camera-open').disabled = true;
  byId('camera-problem').textContent = '';
  try {
    if (!navigator.mediaDevices) throw new Error('Browsers give the camera to https pages only.');
    camera.stream = await navigator.mediaDevices.getUserMedia({
      video: {width: {ideal: WIDTH_PX}, facingMode: 'user'},
    });
    if (panel.hidden) return close(camera);
    video.srcObject = camera.stream;
    await video.play();
    take.disabled = false;
    take.focus();
  } catch (error) {
    byId('camera-problem').textContent = reasonOf(error);
    byId('camera-close').focus();
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  return (error instanceof Error && REASONS[error.name]) || messageOf(error);
}

/** @param {Camera} camera */
function close(camera) {
  camera.stream?.getTracks().forEach((track) => track.stop());
  camera.stream = byId('video').srcObject = null;
  byId('camera-take').disabled = true;
  byId('camera-open').disabled = false;
  if (byId('camera').hidden) return;
  byId('camera').hidden = true;
  byId('camera-open').focus();
}
