// Bundles every view, src/views/<name>.ts, into one ES module that anywidget sends through the comm:
// ../hpo_widgets/static/<name>.js, with the styles that it imports as <name>.css beside it. A new view needs no entry here.
//
// The JupyterLab extension, src/panel/index.ts, becomes lib/index.js and lib/index.css, of which `jupyter-builder build .`
// makes ../hpo_widgets/labextension; what JupyterLab itself provides stays outside.
//
//   node build.mjs [--minify] [--watch]
//   node build.mjs --test     runs src/**/*.test.mjs by the test runner of node

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const views = join(source, "views");
const target = join(here, "..", "hpo_widgets", "static");
const extension = join(here, "lib");
const TEST = ".test.mjs";

const options = (entries) => ({
  entryPoints: entries,
  outdir: target,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: process.argv.includes("--minify"),
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
});

async function build() {
  const names = readdirSync(views)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => path.slice(0, -".ts".length))
    .sort();
  mkdirSync(target, { recursive: true });
  const scripts = names.map((name) => ({ in: join(views, `${name}.ts`), out: name }));
  const built = await esbuild.build(options(scripts));
  // What a former build left behind, of a view that is gone or renamed, must not get into a wheel.
  const made = new Set(Object.keys(built.metafile.outputs).map((path) => basename(path)));
  for (const file of readdirSync(target).filter((file) => !made.has(file))) {
    rmSync(join(target, file), { recursive: true });
  }
  console.log([...made].sort().join("\n"));

  rmSync(extension, { recursive: true, force: true });
  const plugins = {
    ...options([{ in: join(source, "panel", "index.ts"), out: "index" }]),
    outdir: extension,
    packages: "external",
    minify: false,
  };
  await esbuild.build(plugins);

  if (process.argv.includes("--watch")) {
    for (const wanted of [options(scripts), plugins]) {
      const context = await esbuild.context({ ...wanted, logLevel: "info" });
      await context.watch();
    }
  }
}

async function test() {
  const folder = mkdtempSync(join(tmpdir(), "hpo-widgets-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const entries = readdirSync(source, { recursive: true })
    .filter((path) => path.endsWith(TEST))
    .map((path) => ({ in: join(source, path), out: path.slice(0, -".mjs".length) }));
  const { metafile } = await esbuild.build({
    ...options(entries),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    loader: { ".css": "empty" },
    sourcemap: "inline",
    // JupyterLab's packages require some of node's.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  const files = Object.keys(metafile.outputs).map((path) => join(process.cwd(), path));
  run({ files, concurrency: true })
    .on("test:fail", () => {
      process.exitCode = 1;
    })
    .compose(spec)
    .pipe(process.stdout);
}

await (process.argv.includes("--test") ? test() : build());
