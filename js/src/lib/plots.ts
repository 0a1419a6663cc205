// Figures of bqplot have neither a role nor a name.

/** Gives each figure in `root` its title, which is not drawn, as its name. */
export function namePlots(root: ParentNode): void {
  for (const figure of root.querySelectorAll<HTMLElement>(".bqplot:not([aria-label])")) {
    const title = figure.querySelector(".mainheading")?.textContent;
    if (title) {
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", title);
    }
  }
}
