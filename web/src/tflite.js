/**
 * The size of the pictures that a .tflite file takes.
 *
 * gfr's files take pictures of any size, which they say with -1 in the shapes of the input and of
 * what follows from it. LiteRT.js cannot resize an input: it refuses a tensor that does not have the
 * file's shape. So the size is written into the file's bytes before it is loaded; LiteRT infers the
 * other shapes. Positions are those of the FlatBuffers format and of TensorFlow Lite's schema.
 */

const FIELD = {subgraphs: 2, tensors: 0, shape: 0, shapeSignature: 7};
const ANY = -1;

/**
 * Make a model take one picture of this size.
 * @param {ArrayBuffer} bytes of the file; changed
 * @param {number} height
 * @param {number} width
 * @param {[number, number]} [previous] height and width that were set before
 */
export function setPictureSize(bytes, height, width, previous = [ANY, ANY]) {
  const view = new DataView(bytes);
  const [graph] = tables(view, follow(view, 0), FIELD.subgraphs);
  let isSet = false;
  for (const tensor of tables(view, graph, FIELD.tensors)) {
    const signature = vector(view, tensor, FIELD.shapeSignature);
    const dimensions = signature.map((at) => view.getInt32(at, true));
    const [number, ...rest] = dimensions;
    if (dimensions.length === 4 && same(rest, [...previous, 3])) {
      const shape = vector(view, tensor, FIELD.shape);
      if (shape.length !== 4) throw new Error('the input has no shape');
      for (const positions of [shape, signature]) {
        [1, height, width, 3].forEach((size, i) => view.setInt32(positions[i], size, true));
      }
      isSet = true;
    } else if (number === ANY) {
      view.setInt32(signature[0], 1, true);
    }
  }
  if (!isSet) throw new Error('no input takes pictures of any size');
}

/** @param {number[]} some @param {number[]} others */
function same(some, others) {
  return some.every((value, i) => value === others[i]);
}

/**
 * Where the tables of a field that holds a list of them begin.
 * @param {DataView} view
 * @param {number} table
 * @param {number} field
 */
function tables(view, table, field) {
  return vector(view, table, field).map((at) => follow(view, at));
}

/**
 * Where the elements of a list of four bytes each are; none if the field is absent.
 * @param {DataView} view
 * @param {number} table
 * @param {number} field
 */
function vector(view, table, field) {
  const fields = table - view.getInt32(table, true);
  const entry = 4 + 2 * field;
  const offset = entry < view.getUint16(fields, true) ? view.getUint16(fields + entry, true) : 0;
  if (!offset) return [];
  const list = follow(view, table + offset);
  const num = view.getUint32(list, true);
  if (list + 4 * (num + 1) > view.byteLength) throw new RangeError('the file is damaged');
  return Array.from({length: num}, (_, i) => list + 4 * (i + 1));
}

/**
 * @param {DataView} view
 * @param {number} at of an offset, which counts from there
 */
function follow(view, at) {
  return at + view.getUint32(at, true);
}
