/**
 * Similarity transforms of the plane: rotation, one scale, translation, never a reflection.
 *
 * In: points in pixels; x to the right, y downwards; the centre of the first pixel is (0.5, 0.5).
 * Out: transforms and transformed points. Never touches a pixel.
 *
 * @typedef {[number, number]} Point x, y in pixels
 * @typedef {{a: number, b: number, x: number, y: number}} Similarity
 *   (u, v) -> (a u - b v + x, b u + a v + y); a + ib is scale times rotation
 */

/**
 * @param {Similarity} similarity
 * @param {Point} point
 * @returns {Point}
 */
export function apply({a, b, x, y}, [u, v]) {
  return [a * u - b * v + x, b * u + a * v + y];
}

/**
 * The similarity that undoes another.
 * @param {Similarity} similarity
 * @returns {Similarity}
 */
export function inverse({a, b, x, y}) {
  const square = a * a + b * b;
  const back = {a: a / square, b: -b / square};
  return {...back, x: -(back.a * x - back.b * y), y: -(back.b * x + back.a * y)};
}

/**
 * Pixels that one pixel becomes.
 * @param {Similarity} similarity
 */
export function scale({a, b}) {
  return Math.hypot(a, b);
}

/**
 * The square of `side` around `centre`, turned by `angle`, shown as `size` x `size` pixels.
 * @param {Point} centre
 * @param {number} side in source pixels
 * @param {number} angle radians, clockwise on the screen
 * @param {number} size in pixels
 * @returns {Similarity} pixels of the view -> source pixels
 */
export function view(centre, side, angle, size) {
  const a = (side / size) * Math.cos(angle);
  const b = (side / size) * Math.sin(angle);
  const half = size / 2;
  return {a, b, x: centre[0] - (a * half - b * half), y: centre[1] - (b * half + a * half)};
}

/**
 * Least squares over all similarities (Umeyama 1991 in two dimensions, where a + ib has a closed
 * form and reflections cannot arise).
 * @param {Point[]} from at least two different points
 * @param {Point[]} to as many
 * @returns {Similarity} that brings `from` as near to `to` as can be
 */
export function fit(from, to) {
  const [fx, fy] = mean(from);
  const [tx, ty] = mean(to);
  let a = 0;
  let b = 0;
  let square = 0;
  from.forEach(([x, y], i) => {
    const [u, v] = [x - fx, y - fy];
    const [p, q] = [to[i][0] - tx, to[i][1] - ty];
    a += u * p + v * q;
    b += u * q - v * p;
    square += u * u + v * v;
  });
  a /= square;
  b /= square;
  return {a, b, x: tx - (a * fx - b * fy), y: ty - (b * fx + a * fy)};
}

/**
 * @param {Point[]} points
 * @returns {Point}
 */
function mean(points) {
  const sum = points.reduce(([x, y], [u, v]) => [x + u, y + v], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}
