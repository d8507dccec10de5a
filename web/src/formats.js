/**
 * What a file is, read off its first bytes, and whether a JPEG has its end.
 *
 * In: bytes. Out: a name, yes or no. Never decodes a pixel, never trusts a file's name.
 */

const JPEG_END = 0xd9;
const JPEG_SCAN = 0xda;

/**
 * @param {Uint8Array} bytes of a whole file
 * @returns {'jpeg' | 'png' | 'gif' | 'webp' | 'heic' | 'tiff' | 'other'}
 */
export function formatOf(bytes) {
  /** @param {number} from @param {number} to */
  const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'jpeg';
  if (text(1, 4) === 'PNG') return 'png';
  if (text(0, 3) === 'GIF') return 'gif';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  if (text(4, 8) === 'ftyp' && /^(hei|hev|mif1|msf1)/.test(text(8, 12))) return 'heic';
  if (/^(II\*\0|MM\0\*)/.test(text(0, 4))) return 'tiff';
  return 'other';
}

/**
 * Whether a GIF or WebP has more than one frame.
 * @param {Uint8Array} bytes
 */
export function isAnimated(bytes) {
  const format = formatOf(bytes);
  if (format === 'webp') return bytes[15] === 'X'.charCodeAt(0) && (bytes[20] & 2) !== 0;
  // Every animation that repeats has this block near its beginning.
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 1024));
  return format === 'gif' && head.includes('NETSCAPE2.0');
}

/**
 * Whether a JPEG goes on to its end mark. Browsers show what there is of a file cut short, the rest
 * grey, without a word.
 * @param {Uint8Array} bytes
 */
export function hasJpegEnd(bytes) {
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return false;
    const mark = bytes[at + 1];
    if (mark === 0xff) {
      at++;
      continue;
    }
    if (mark === JPEG_SCAN) return hasEndMark(bytes, at);
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3]; // a segment, a thumbnail among them, is skipped
  }
  return false;
}

/**
 * In coded data 0xff is followed by 0 or by a mark, so an end mark is one.
 * @param {Uint8Array} bytes
 * @param {number} from where to begin
 */
function hasEndMark(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === JPEG_END) return true;
  }
  return false;
}
