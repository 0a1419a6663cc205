// Shows a panel in the output of a cell: live while the kernel has its widgets, else the picture that the notebook keeps,
// in the place of "model not found". It also has the picture renewed: before each save, and at the end of a search.

import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import type { ISessionContext } from "@jupyterlab/apputils";
import { type IRenderMime, IRenderMimeRegistry, MimeModel } from "@jupyterlab/rendermime";
import type { Kernel } from "@jupyterlab/services";
import type { Message } from "@lumino/messaging";
import { Panel, Widget } from "@lumino/widgets";
import { element, makeButton, setText } from "../lib/dom";
import { requestIds } from "../lib/request_ids";
import { ENDED, HOST, RENEW, RENEWED, type Renewed } from "../lib/snapshot_events";
import { searchIcon } from "./icons";
import { onNotebookOpened } from "./open_notebooks";
import { panelTabs } from "./panel_tabs";
import { drawSnapshot, MIME, readSnapshot } from "./saved_snapshot";

const VIEW = "application/vnd.jupyter.widget-view+json";
/** What the widgets' own view has when it says that there is no such widget. */
const GIVEN_UP = "jupyter-widgets";
/** Before the widgets' own view, which has -10: what comes first in an output is shown. */
const RANK = -20;
/**
 * Milliseconds for which a save waits for a new picture; then the file keeps the old one. For its first picture, a
 * kernel loads matplotlib, which takes seconds where trials use all cores.
 */
const PATIENCE_MS = 10_000;

/** In the place of a line that says how to go on without the kernel. */
const AWAITED =
  "The kernel has not answered yet: what it has is seen when the running cell has ended.";

type Json = Readonly<Record<string, unknown>>;

/** What is needed of the outputs of a cell. */
type OutputArea = {
  rendermime: IRenderMimeRegistry;
  model: {
    readonly length: number;
    get(index: number): { toJSON(): Json };
    set(index: number, output: Json): void;
  };
};

function* ancestors(widget: Widget): Generator<object> {
  for (let one = widget.parent; one !== null; one = one.parent) {
    yield one;
  }
}

function outputAreaOf(widget: Widget): OutputArea | null {
  for (const one of ancestors(widget)) {
    const { rendermime, model } = one as Partial<OutputArea>;
    if (rendermime && typeof model?.set === "function") {
      return one as OutputArea;
    }
  }
  return null;
}

function sessionOf(widget: Widget): ISessionContext | null {
  for (const one of ancestors(widget)) {
    const { sessionContext } = one as { sessionContext?: ISessionContext };
    if (sessionContext?.kernelChanged) {
      return sessionContext;
    }
  }
  return null;
}

const added = new WeakMap<IRenderMimeRegistry, Promise<void>>();

/** Resolves when the next renderer of widgets is added to a registry; no signal of the registry tells of that. */
function widgetRendererAdded(registry: IRenderMimeRegistry): Promise<void> {
  const known = added.get(registry);
  if (known) {
    return known;
  }
  const { addFactory } = registry;
  const promise = new Promise<void>((done) => {
    registry.addFactory = (factory, rank) => {
      addFactory.call(registry, factory, rank);
      if (factory.mimeTypes.includes(VIEW)) {
        registry.addFactory = addFactory;
        done();
      }
    };
  });
  added.set(registry, promise);
  return promise;
}

/** The id of the widget that an output shows; empty where it shows none. */
function modelOf(data: unknown): string {
  const view = (data as Json | undefined)?.[VIEW] as Json | undefined;
  return typeof view?.model_id === "string" ? view.model_id : "";
}

class SnapshotRenderer extends Panel implements IRenderMime.IRenderer {
  private readonly picture = new Widget();
  /** In the place of a panel that is shown in a tab. */
  private readonly elsewhere = new Widget();
  private readonly name = element("b");
  private isWantedHere = false;
  private live: Widget | null = null;
  /** What goes on when the answer to a request is there. */
  private readonly waiting = new Map<string, () => void>();
  private isLooking = false;
  private session: ISessionContext | null = null;
  /** The kernel that has not answered yet. */
  private awaited: Kernel.IKernelConnection | null = null;
  private tellAwaited: (isKernelAwaited: boolean) => void = () => {};
  private readonly newId = requestIds();
  modelId = "";

  constructor(
    private readonly registry: IRenderMimeRegistry,
    /** What tells the notebook, of whose outputs this is one. */
    readonly resolver: IRenderMime.IResolver | null,
  ) {
    super();
    this.addClass("hpo-snapshot");
    this.addWidget(this.picture);
    this.addElsewhere();
    this.node.addEventListener(ENDED, () => void this.renew());
    this.node.addEventListener(RENEWED, (event) => this.take(event));
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const snapshot = readSnapshot(model.data);
    if (snapshot) {
      const tell = drawSnapshot(this.picture.node, snapshot);
      this.tellAwaited = (isKernelAwaited) => tell(isKernelAwaited, this.isLooking);
    } else {
      const line = String(model.data["text/plain"] ?? "");
      // Before it is known whether the kernel has the widget, the line would seem to be said of one that is being made.
      this.tellAwaited = (isKernelAwaited) =>
        setText(this.picture.node, isKernelAwaited ? AWAITED : this.isLooking ? "" : line);
    }
    this.tellAwaited(this.awaited !== null);
    const modelId = modelOf(model.data);
    // Voilà hands over plain data, which says nothing of trust. A picture that was renewed leaves the live view alone.
    if (model.trusted === false || modelId === this.modelId) {
      return;
    }
    this.modelId = modelId;
    this.live?.dispose();
    this.live = null;
    if (this.isAttached) {
      void this.lookForModel();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    void this.lookForModel();
  }

  /** Whether the panel itself is seen, which alone can give a picture. */
  get isLive(): boolean {
    return this.live !== null && !this.live.isDisposed && !this.live.children().next().done;
  }

  /**
   * Has a picture of this moment written into the notebook; of a panel that is not live there is none. Whoever waits does
   * so for a while only; what comes later is written, too.
   */
  renew(): Promise<void> {
    const host = this.node.querySelector(`.${HOST}`);
    if (host === null || host.closest(".jupyter-widgets-disconnected")) {
      return Promise.resolve();
    }
    const id = this.newId();
    return new Promise((done) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
        done();
      };
      const timer = setTimeout(end, PATIENCE_MS);
      this.waiting.set(id, end);
      host.dispatchEvent(new CustomEvent(RENEW, { detail: id }));
    });
  }

  private take(event: Event): void {
    const { id, data } = (event as CustomEvent<Renewed>).detail;
    if (data) {
      this.write(data);
    }
    this.waiting.get(id)?.();
  }

  private async lookForModel(): Promise<void> {
    if (this.isLooking || this.live || !this.modelId) {
      return;
    }
    const { modelId } = this;
    this.isLooking = true;
    this.tellAwaited(this.awaited !== null);
    try {
      const registry = await this.widgetsOfNotebook();
      if (registry && !this.isDisposed) {
        await this.showLive(registry);
      }
    } finally {
      this.isLooking = false;
      this.tellAwaited(this.awaited !== null);
    }
    // The output may have come to show another one meanwhile.
    if (this.modelId !== modelId) {
      await this.lookForModel();
    }
  }

  /**
   * What renders widgets here; null where nothing does. ipywidgets gives each notebook and console a widget manager of its
   * own when its session is ready, and puts a view that knows it in the place of the one that is there for all, which
   * would wait for ever.
   */
  private async widgetsOfNotebook(): Promise<IRenderMimeRegistry | null> {
    const registry = outputAreaOf(this)?.rendermime ?? this.registry;
    if (registry === this.registry) {
      return registry.getFactory(VIEW) ? registry : null;
    }
    if (!this.session) {
      this.session = sessionOf(this);
      this.session?.kernelChanged.connect(this.onKernelChanged, this);
      this.awaitKernel();
    }
    const factory = registry.getFactory(VIEW);
    if (!factory || factory === this.registry.getFactory(VIEW)) {
      await widgetRendererAdded(registry);
    }
    return registry;
  }

  private onKernelChanged(): void {
    this.awaitKernel();
    void this.lookForModel();
  }

  /** Says beside the picture that the kernel has not answered yet, until it does. */
  private awaitKernel(): void {
    const kernel = this.session?.session?.kernel ?? null;
    const set = (awaited: Kernel.IKernelConnection | null): void => {
      this.awaited = awaited;
      this.tellAwaited(awaited !== null);
    };
    const onAnswer = (): void => {
      if (this.awaited === kernel) {
        set(null);
      }
    };
    set(kernel);
    // Its first answer, for which a running cell has it wait.
    kernel?.info.then(onAnswer, onAnswer);
  }

  /** Has the widgets' own renderer show the panel; it is seen as soon as there is something to see. */
  private async showLive(registry: IRenderMimeRegistry): Promise<void> {
    const { modelId } = this;
    const live = registry.createRenderer(VIEW);
    this.live = live;
    live.addClass("hpo-snapshot-waiting");
    this.insertWidget(0, live);
    // The model may be there later, and gone again.
    const changes = new MutationObserver(() => this.see());
    changes.observe(live.node, { childList: true });
    live.disposed.connect(() => changes.disconnect());
    const view = { version_major: 2, version_minor: 0, model_id: modelId };
    const shown = new MimeModel({ trusted: true, data: { [VIEW]: view } });
    const render = async (): Promise<void> => {
      try {
        await live.renderModel(shown);
      } catch (error) {
        // One that the output shows no more takes no view, which nobody needs to hear.
        if (!live.isDisposed) {
          throw error;
        }
      }
    };
    await render();
    // ipywidgets looks for a model for two seconds. On a slow page they may end while it makes the models, so that it says
    // that there is none when there is one: that all are made by then is certain, so it looks once more.
    if (!live.isDisposed && live.hasClass(GIVEN_UP)) {
      live.removeClass(GIVEN_UP);
      await render();
    }
    this.see();
  }

  /** Shows the panel, the picture where it is not live, or the line where a tab shows it. */
  private see(): void {
    const { isLive } = this;
    const isInTab = panelTabs.has(this.modelId);
    this.isWantedHere &&= isInTab;
    // A view of an output, beside the notebook, was asked for.
    const isCell = this.node.closest(".jp-Notebook") !== null;
    const isElsewhere = isLive && isInTab && isCell && !this.isWantedHere;
    if (isElsewhere) {
      setText(this.name, this.node.querySelector(".hpo-title")?.textContent ?? "This search");
    }
    this.live?.toggleClass("hpo-snapshot-waiting", !isLive || isElsewhere);
    this.picture.setHidden(isLive);
    this.elsewhere.setHidden(!isElsewhere);
  }

  private addElsewhere(): void {
    const icon = element("span", "", { "aria-hidden": "true" });
    searchIcon.render(icon);
    const show = makeButton("show it here too");
    show.addEventListener("click", () => {
      this.isWantedHere = true;
      this.see();
      const panel = this.live?.node.querySelector<HTMLElement>(".hpo-layout");
      if (panel) {
        // The button has gone with its line. A panel that was never seen before takes no focus yet.
        panel.tabIndex = -1;
        panel.focus({ preventScroll: true });
      }
    });
    this.elsewhere.addClass("hpo-part");
    this.elsewhere.node.append(
      element("div", "hpo-elsewhere", {}, icon, this.name, " is shown in the tab beside · ", show),
    );
    this.elsewhere.hide();
    this.addWidget(this.elsewhere);
    panelTabs.changed.connect(this.see, this);
    this.disposed.connect(() => panelTabs.changed.disconnect(this.see, this));
  }

  /** Puts all types of the picture into the output, so that none of them shows an older one. */
  private write(fresh: Json): void {
    const model = outputAreaOf(this)?.model;
    for (let index = 0; model && index < model.length; index++) {
      const output = model.get(index).toJSON();
      const data = output.data as Json | undefined;
      if (data && modelOf(data) === this.modelId) {
        model.set(index, { ...output, data: { ...fresh, [VIEW]: data[VIEW] } });
      }
    }
  }
}

/**
 * Renews the pictures of a notebook before it is saved. The document's own `save` is followed, as the signal of a save
 * (`saveState`) comes when it is too late to ask the kernel: the file is made of what the notebook holds at that moment.
 */
function renewBeforeSaving(
  context: { save(): Promise<void> },
  renew: () => Promise<unknown>,
): void {
  const save = context.save.bind(context);
  context.save = async () => {
    await renew();
    await save();
  };
}

export const snapshotPlugin: JupyterFrontEndPlugin<void> = {
  id: "hpo-widgets:snapshot",
  description:
    "Shows the last picture of a search whose kernel has ended, and updates it at each save.",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app, registry: IRenderMimeRegistry) => {
    const shown = new Set<SnapshotRenderer>();
    const factory: IRenderMime.IRendererFactory = {
      safe: true,
      mimeTypes: [MIME],
      createRenderer: ({ resolver }) => {
        const renderer = new SnapshotRenderer(registry, resolver);
        shown.add(renderer);
        renderer.disposed.connect(() => shown.delete(renderer));
        return renderer;
      },
    };
    registry.addFactory(factory, RANK);
    onNotebookOpened(app, ({ panel, context }) => {
      const { rendermime } = panel.content as { rendermime?: IRenderMimeRegistry };
      renewBeforeSaving(context, () => {
        // A panel may be seen twice, in its cell and in a view of the output.
        const views = new Map<string, SnapshotRenderer>();
        for (const renderer of shown) {
          if (rendermime && renderer.resolver === rendermime.resolver && renderer.isLive) {
            views.set(renderer.modelId, renderer);
          }
        }
        return Promise.all([...views.values()].map((renderer) => renderer.renew()));
      });
    });
  },
};
