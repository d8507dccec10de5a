/**
 * The camera: open, take a picture, turn off.
 *
 * In: the visitor's permission. Out: a Photo for each picture taken. Never records, never keeps the
 * camera on once the panel is closed or the page hidden.
 */

import {capture} from './photos.js';
import {byId} from './status.js';

const WIDTH_PX = 1280; // asked for; the camera gives what it can

const REASONS = {
  NotAllowedError:
    'The browser was not allowed to use the camera. Its address bar can change that.',
  NotFoundError: 'No camera was found.',
  NotReadableError: 'The camera is in use by another program.',
};

/** @param {(photo: import('./photos.js').Photo) => void} taken */
export function setUpCamera(taken) {
  const [panel, video] = [byId('camera'), byId('video')];
  const [openButton, takeButton] = [byId('camera-open'), byId('camera-take')];
  let stream = null;

  async function open() {
    panel.hidden = false;
    openButton.disabled = true;
    say('');
    try {
      if (!navigator.mediaDevices) throw new Error('Browsers give the camera to https pages only.');
      stream = await navigator.mediaDevices.getUserMedia({
        video: {width: {ideal: WIDTH_PX}, facingMode: 'user'},
      });
      if (panel.hidden) return close();
      video.srcObject = stream;
      await video.play();
      takeButton.disabled = false;
      takeButton.focus();
    } catch (error) {
      say(REASONS[error.name] ?? error.message);
      byId('camera-close').focus();
    }
  }

  function close() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    takeButton.disabled = true;
    openButton.disabled = false;
    if (panel.hidden) return;
    panel.hidden = true;
    openButton.focus();
  }

  function say(sentence) {
    byId('camera-problem').textContent = sentence;
  }

  openButton.addEventListener('click', open);
  takeButton.addEventListener('click', () => taken(capture(video)));
  byId('camera-close').addEventListener('click', close);
  panel.addEventListener('keydown', ({key}) => key === 'Escape' && close());
  addEventListener('pagehide', close);
}
