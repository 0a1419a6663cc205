// Bundles every view, src/<name>.view.ts, into one ES module that anywidget sends through the comm:
// ../hpo_widgets/static/<name>.js, with <name>.css beside it. The styles of a view are what it imports,
// or, when it imports none, the file <name>.view.css or <name>.css beside it. A new view needs no entry here.
//
//   node build.mjs [--minify] [--watch]

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const target = join(here, "..", "hpo_widgets", "static");
const VIEW = ".view.ts";

const minify = process.argv.includes("--minify");
const watch = process.argv.includes("--watch");

const names = readdirSync(source, { recursive: true })
  .filter((path) => path.endsWith(VIEW))
  .map((path) => path.slice(0, -VIEW.length))
  .sort();

const options = (entries) => ({
  entryPoints: entries,
  outdir: target,
  bundle: true,
  format: "esm",
  target: "es2022",
  loader: { ".svg": "text" },
  minify,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
});

mkdirSync(target, { recursive: true });
const scripts = names.map((name) => ({ in: join(source, name + VIEW), out: name }));
const built = await esbuild.build(options(scripts));
const written = Object.keys(built.metafile.outputs).map((path) => path.replaceAll("\\", "/"));

const styles = names
  .filter((name) => !written.some((path) => path.endsWith(`/static/${name}.css`)))
  .map((name) => ({
    in: [`${name}.view.css`, `${name}.css`].map((css) => join(source, css)).find(existsSync),
    out: name,
  }))
  .filter((entry) => entry.in !== undefined);
if (styles.length > 0) {
  const { metafile } = await esbuild.build(options(styles));
  written.push(...Object.keys(metafile.outputs));
}

// What a former build left behind, of a view that is gone or renamed, must not get into a wheel.
const made = new Set(written.map((path) => basename(path)));
for (const file of readdirSync(target).filter((file) => !made.has(file))) {
  rmSync(join(target, file), { recursive: true });
}
console.log([...made].sort().join("\n"));

if (watch) {
  for (const entries of [scripts, styles]) {
    const context = await esbuild.context({ ...options(entries), logLevel: "info" });
    await context.watch();
  }
}
