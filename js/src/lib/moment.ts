// Moments in words.

/** Unix seconds as a local date and time, `2026-11-27 14:32`: so they are written in Swedish. */
export function dateAndTime(at: number): string {
  return new Date(at * 1000).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" });
}
