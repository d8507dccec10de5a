/**
 * Files, and what a camera shows, to pixels.
 *
 * In: a File, Blob or video. Out: RGBA pixels, turned upright as EXIF says, colours as stored: what
 * the model was trained on was not colour-managed either. Never lets one bad file spoil others: it
 * throws a PhotoProblem with a sentence for people.
 *
 * @typedef {import('./resample.js').Picture} Picture
 * @typedef {{picture: Picture, remarks: string[]}} Photo
 * @typedef {ReturnType<typeof formatOf>} Format
 */

import {formatOf, hasJpegEnd, isAnimated} from './formats.js';

const MAX_PIXELS = 50e6; // as gfr itself takes
const MAX_KEPT_PIXELS = 16e6; // larger ones are scaled down once decoded: phones have little room
const MAX_BYTES = 100e6;

export class PhotoProblem extends Error {}

/**
 * @param {Blob} blob
 * @returns {Promise<Photo>}
 */
export async function decode(blob) {
  if (blob.size === 0) throw new PhotoProblem('This file is empty.');
  if (blob.size > MAX_BYTES) {
    const size = Math.round(blob.size / 1e6);
    throw new PhotoProblem(`This file has ${size} MB; at most ${MAX_BYTES / 1e6} are taken.`);
  }
  const buffer = await blob.arrayBuffer().catch(() => {
    throw new PhotoProblem('This cannot be read. Is it a folder?');
  });
  const bytes = new Uint8Array(buffer);
  const format = formatOf(bytes);
  if (format === 'jpeg' && !hasJpegEnd(bytes)) {
    throw new PhotoProblem('This JPEG is cut short or damaged.');
  }
  const {width, height} = await sizeOf(blob, format);
  if (width * height > MAX_PIXELS) {
    const size = `${width} × ${height} pixels`;
    throw new PhotoProblem(`${size} are too many; at most ${MAX_PIXELS / 1e6} million are taken.`);
  }
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: 'none'}).catch(() => {
    throw new PhotoProblem(cannotRead(format));
  });
  const remarks = isAnimated(bytes) ? ['An animation: its first frame is looked at.'] : [];
  try {
    return {picture: pixelsOf(bitmap, bitmap.width, bitmap.height), remarks};
  } finally {
    bitmap.close();
  }
}

/**
 * What a video shows now.
 * @param {HTMLVideoElement} video
 * @returns {Photo}
 */
export function capture(video) {
  return {picture: pixelsOf(video, video.videoWidth, video.videoHeight), remarks: []};
}

/**
 * Width and height, known before anything is decoded.
 * @param {Blob} blob
 * @param {Format} format
 */
async function sizeOf(blob, format) {
  const image = new Image();
  const url = URL.createObjectURL(blob);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new PhotoProblem(cannotRead(format)));
      image.src = url;
    });
    return {width: image.naturalWidth, height: image.naturalHeight};
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {Format} format */
function cannotRead(format) {
  if (format === 'heic') {
    return 'This browser cannot read HEIC. Save the photo as JPEG, or open this page in Safari.';
  }
  if (format === 'tiff') return 'This browser cannot read TIFF. Save the picture as JPEG or PNG.';
  if (format === 'other') return 'This is not a picture that a browser can read.';
  return `This ${format.toUpperCase()} is damaged.`;
}

/**
 * What draws on a canvas; a device short of memory has none for a large one.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function contextOf(canvas, settings) {
  const context = canvas.getContext('2d', settings);
  if (!context) throw new PhotoProblem('This device has no room for so large a picture.');
  return context;
}

/**
 * @param {ImageBitmap | HTMLVideoElement} source
 * @param {number} fullWidth
 * @param {number} fullHeight
 * @returns {Picture}
 */
function pixelsOf(source, fullWidth, fullHeight) {
  const shrink = Math.max(1, Math.sqrt((fullWidth * fullHeight) / MAX_KEPT_PIXELS));
  const width = Math.max(1, Math.round(fullWidth / shrink));
  const height = Math.max(1, Math.round(fullHeight / shrink));
  const canvas = document.createElement('canvas');
  Object.assign(canvas, {width, height});
  const context = contextOf(canvas, {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.fillStyle = 'white'; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return {data: context.getImageData(0, 0, width, height).data, width, height};
}
