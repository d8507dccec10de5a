/**
 * Build the page and its Node programs: `node build.mjs [OUT]`, OUT being dist if not given.
 *
 * In: src/, detector/, licences/ and the packages that package-lock.json names. Out: OUT, written
 * anew and the same byte for byte whenever and wherever it is built. Never uses the network.
 */

import {existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

import {build} from 'esbuild';

const WEB = dirname(fileURLToPath(import.meta.url));
const OUT = resolve(process.argv[2] ?? join(WEB, 'dist'));
const MODULES = join(WEB, 'node_modules');
const LITERT_WASM = join(MODULES, '@litertjs/core/wasm');
/** These packages are under the Apache License and carry no file of it. */
const OF_GOOGLE = /^@(tensorflow\/tfjs-|litertjs\/)/;

/**
 * The backend with threads is never used (src/wasm.js): leave its 100 KB out.
 * @type {import('esbuild').Plugin}
 */
const withoutThreads = {
  name: 'without-threads',
  setup({onResolve, onLoad}) {
    onResolve({filter: /tfjs-backend-wasm-threaded-simd/}, () => ({
      path: 'none',
      namespace: 'none',
    }));
    onLoad({filter: /.*/, namespace: 'none'}, () => ({
      contents: 'export default null; export const wasmWorkerContents = "";',
    }));
  },
};

const COMMON = /** @satisfies {import('esbuild').BuildOptions} */ ({
  absWorkingDir: WEB,
  bundle: true,
  splitting: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none', // they are in licences.txt
  mainFields: ['module', 'main'], // page and Node run the same files
  metafile: true,
  logLevel: 'warning',
  plugins: [withoutThreads],
});

/** TensorFlow.js asks for `require` and Emscripten for its folder, which modules do not have. */
const NODE_BANNER = `import {createRequire as __createRequire} from 'node:module';
import {dirname as __dirnameOf} from 'node:path';
import {fileURLToPath as __pathOf} from 'node:url';
const require = __createRequire(import.meta.url);
const __filename = __pathOf(import.meta.url), __dirname = __dirnameOf(__filename);`;

async function bundle() {
  const browser = await build({
    ...COMMON,
    entryPoints: ['src/page.js', 'src/worker.js'],
    outdir: OUT,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'browser',
    mainFields: ['browser', ...COMMON.mainFields],
  });
  const node = await build({
    ...COMMON,
    entryPoints: {classify: 'src/node.js', points: 'src/node_points.js'},
    outdir: join(OUT, 'node'),
    outExtension: {'.js': '.mjs'},
    chunkNames: 'shared-[hash]',
    platform: 'node',
    banner: {js: NODE_BANNER},
    external: ['node-fetch'],
  });
  return [...Object.keys(browser.metafile.inputs), ...Object.keys(node.metafile.inputs)];
}

/**
 * Without the modes of packages' files, which differ.
 * @param {string} from
 * @param {string} to
 */
function copy(from, to) {
  writeFileSync(to, readFileSync(from));
}

/**
 * LiteRT.js loads its script with importScripts, which sets a global variable. The worker is a
 * module and imports it, so the script has to set the variable itself.
 */
function copyLiteRt() {
  mkdirSync(join(OUT, 'litert'));
  for (const build of ['', 'threaded_']) {
    const [script, wasm] = ['js', 'wasm'].map((end) => `litert_wasm_${build}internal.${end}`);
    const text = readFileSync(join(LITERT_WASM, script), 'utf8');
    writeFileSync(
      join(OUT, 'litert', script),
      `${text}globalThis.ModuleFactory = ModuleFactory;\n`,
    );
    copy(join(LITERT_WASM, wasm), join(OUT, 'litert', wasm));
  }
}

function copyFiles() {
  copyLiteRt();
  for (const name of ['index.html', 'style.css', 'icon.svg']) {
    copy(join(WEB, 'src', name), join(OUT, name));
  }
  const wasm = 'tfjs-backend-wasm-simd.wasm';
  copy(join(MODULES, '@tensorflow/tfjs-backend-wasm/dist', wasm), join(OUT, wasm));
  mkdirSync(join(OUT, 'detector'));
  for (const name of ['blazeface.json', 'blazeface.bin']) {
    copy(join(WEB, 'detector', name), join(OUT, 'detector', name));
  }
}

/**
 * The licences of all that went into the bundles, of the detector and of the .wasm file.
 * @param {string[]} inputs of the bundles
 */
function licences(inputs) {
  const names = inputs.flatMap(
    (path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? [],
  );
  const parts = [...new Set(names)].sort().map(packageLicence);
  const kept = (/** @type {string} */ name) =>
    readFileSync(join(WEB, 'licences', `${name}.txt`), 'utf8').trim();
  parts.push(`Compiled into tfjs-backend-wasm-simd.wasm\n\n${kept('compiled-into-wasm')}`);
  parts.push(`Compiled into litert/*.wasm\n\n${kept('compiled-into-litert')}`);
  parts.push(kept('vladmandic-human'));
  parts.push(kept('blazeface'));
  parts.push(
    `The Apache License, which those parts are under that name it\n\n${kept('Apache-2.0')}`,
  );
  const rule = `\n\n${'='.repeat(100)}\n\n`;
  const own = readFileSync(join(WEB, '../LICENSE'), 'utf8').trim();
  return [`gfr, this page itself\n\n${own}`, ...parts].join(rule) + '\n';
}

/** @param {string} name of a package */
function packageLicence(name) {
  const folder = join(MODULES, name);
  const {version, license} = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const title = `${name} ${version} (${license})`;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file) return `${title}\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
  if (OF_GOOGLE.test(name) && license === 'Apache-2.0') {
    return `${title}\n\nCopyright Google LLC. Licensed under the Apache License, Version 2.0, below.`;
  }
  const readme = readFileSync(join(folder, 'README.md'), 'utf8').split(/^LICENSE .*$/m);
  if (readme.length !== 2) throw new Error(`${title}: no licence text`);
  return `${title}\n${readme[1].replace(/^\s*-+/, '').trimEnd()}`;
}

if (existsSync(OUT)) rmSync(OUT, {recursive: true});
mkdirSync(OUT, {recursive: true});
const inputs = await bundle();
copyFiles();
writeFileSync(join(OUT, 'licences.txt'), licences(inputs));
