// Watches, frame by frame, which trials a page shows. Runs before the page's own scripts.
{
  const watch = { bytes: 0, atLeast: Infinity, points: 0, seen: [] };
  window.liveScatter = watch;

  // What comes from the server by WebSocket: the messages of the kernel, next to nothing else.
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        watch.bytes += data.byteLength ?? data.size ?? data.length;
      });
    }
  };

  // The number of points in the last drawing of a canvas that shows all trials.
  const drawArrays = WebGLRenderingContext.prototype.drawArrays;
  WebGLRenderingContext.prototype.drawArrays = function (mode, first, count) {
    if (mode === this.POINTS && count >= watch.atLeast) watch.points = count;
    return drawArrays.call(this, mode, first, count);
  };

  // Data of the newest points of each mark of a bqplot figure. Marks stay; they are looked up once a second.
  const marks = new WeakMap();
  const newest = (figure, counts = () => true) => {
    const found = [];
    const known = marks.get(figure);
    const isOld = !known || performance.now() > known.until;
    const all = isOld ? [...figure.querySelectorAll("g[clip-path]")] : known.all;
    if (isOld) marks.set(figure, { all, until: performance.now() + 1000 });
    for (const mark of all) {
      let point = mark.lastElementChild;
      for (let back = 0; back < 16 && point?.classList.contains("object_grp"); back++) {
        if (counts(point)) found.push(point.__data__);
        point = point.previousElementSibling;
      }
    }
    return found;
  };

  const numCompleted = () => {
    const told = /(\d+) completed/.exec(document.querySelector(".hpo-counts").textContent);
    return told ? [Number(told[1])] : [];
  };

  // Each looks at what is drawn now: the numbers of the newest trials, or how many there are.
  const looks = {
    history: () => newest(document.querySelector(".hpo-plot-host .bqplot")).map(({ x }) => x),
    pareto: () => newest(document.querySelector(".hpo-plot-host .bqplot")).map(({ name }) => Number(name)),
    slices: () => {
      const [first, ...others] = [...document.querySelectorAll(".hpo-slices-grid .bqplot")].map(
        (figure) => new Set(newest(figure).map(({ name }) => Number(/\d+/.exec(name)?.[0]))),
      );
      return [...first].filter((number) => others.every((numbers) => numbers.has(number)));
    },
    // Lines have no numbers: how many there are in the picture, as the legend says, and in the mark of the newest ones.
    parallel: () => {
      const host = document.querySelector(".hpo-parallel-host");
      const isFresh = ({ style }) => style.stroke.includes("--hpo-dot") && Number.parseFloat(style.strokeWidth) === 1;
      const fresh = [...host.querySelectorAll("path.line")].find(isFresh)?.getAttribute("d") ?? "";
      const told = host.parentElement.querySelector(".hpo-key").textContent;
      return [Number.parseInt(/\d+/.exec(told)[0]) + (fresh.match(/M/g) ?? []).length];
    },
    distribution: () => {
      const told = [...document.querySelectorAll(".hpo-key")].map((key) => key.textContent);
      const counts = told.flatMap((words) => [...words.matchAll(/space \d+: (\d+) completed/g)]);
      return [counts.reduce((sum, [, count]) => sum + Number(count), 0)];
    },
    // What these draw tells of no single trial: how many have ended, as the panel says in the same update.
    timeline: numCompleted,
    curves: numCompleted,
    importance: numCompleted,
    // Running trials are drawn, too: as rings, filled with the colour of the ground.
    map: () =>
      newest(
        document.querySelector(".hpo-map .bqplot"),
        (point) => !point.firstElementChild?.style.fill.includes("--hpo-surface"),
      ).map(({ name }) => Number.parseInt(name)),
    bqplot: () => newest(document.querySelector(".bqplot")).map(({ index }) => index + 1),
    plotly: () => {
      const plot = document.querySelector(".js-plotly-plot");
      if (!plot.isWatched) {
        plot.isWatched = true;
        plot.on("plotly_afterplot", () => {
          watch.points = plot._fullData[0].x.length;
        });
      }
      return [watch.points];
    },
    jscatter: () => [watch.points],
  };

  // From the next frame on. What is found in a frame is on its way to the screen when the frame after it begins:
  // that is the time when it counts as seen.
  watch.start = (name, trials) => {
    const known = new Set();
    let found = [];
    watch.atLeast = trials;
    const look = () => {
      const now = Date.now() / 1000;
      for (const one of found) watch.seen.push([one, now]);
      found = [...new Set(looks[name]())].filter((one) => !known.has(one));
      for (const one of found) known.add(one);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  };
}
