import {createRequire as __createRequire} from 'node:module';
import {dirname as __dirnameOf} from 'node:path';
import {fileURLToPath as __pathOf} from 'node:url';
const require = __createRequire(import.meta.url);
const __filename = __pathOf(import.meta.url), __dirname = __dirnameOf(__filename);
import{b as a,f as i,g as m,h as f,i as c,j as l,k as p,l as d}from"./shared-KWROHLHJ.mjs";import{readFileSync as u}from"node:fs";import{join as y}from"node:path";import{fileURLToPath as w}from"node:url";async function h(e){let o=JSON.parse(u(y(e,"model.json"),"utf8")),r=f(o).map(n=>{let s=u(y(e,n));return s.buffer.slice(s.byteOffset,s.byteOffset+s.byteLength)});return c(o,r)}async function O([e,o,...r]){if(!o||r.length)throw new Error("usage: node classify.mjs MODEL_DIR IMAGES_FILE");await d(w(new URL("../",import.meta.url)));let n=await h(e),s=[];for(let t of p(o))s.push(await l(n,t));let g={backend:a(),tfjs:m,p_male:s.map(({pMale:t})=>t),seconds:s.map(({seconds:t})=>t)};process.stdout.write(JSON.stringify(g)+`
`)}O(process.argv.slice(2)).catch(e=>{process.stderr.write(`classify.mjs: ${i(e).replaceAll(`
`," ")}
`),process.exitCode=1});
